"""Signing keys: sealed on disk, in memory while the Vault runs."""
