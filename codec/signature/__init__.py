"""Digital signatures as data: MAC stream, algorithms, items, profiles, purposes (PS3.3 C.12.1.1.3, PS3.15)."""
