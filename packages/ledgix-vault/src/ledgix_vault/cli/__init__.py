"""The `ledgix-vault` command line. Exit status: 0 done, 1 refused or not intact, 2 wrong usage."""

from ledgix_vault.cli.root import main

__all__ = ["main"]
