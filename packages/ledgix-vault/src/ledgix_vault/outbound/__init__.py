"""Requests to addresses that others set: they can't be turned against the Vault's own network."""
