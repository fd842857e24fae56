"""Durable state: SQL, the high-water cell, the lock on the data directory."""
