"""Certified timestamps (RFC 3161).

Queries, replies and tokens are built, parsed and checked by pure functions; the client that asks a time-stamping
authority is the only part of the project that uses the network.
"""
