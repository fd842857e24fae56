"""Pieces of transactions that several operations share. Each takes the unit of work and returns the next value."""
