"""What an object consists of, what signatures protect of it, and what about it is not as it should be."""
