"""The Ledgix Vault: decides, records, proves. Start at `ledgix_vault.app`; ARCHITECTURE.md has the plan."""

__version__ = "0.1.0"
