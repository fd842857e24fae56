"""The Ledgix Vault: decides, records, proves. Start at `ledgix_vault.app`; ARCHITECTURE.md has the plan."""

import zoneinfo

__version__ = "0.1.0"

# Time zones come from the pinned package alone, so that two machines never differ on a local time.
zoneinfo.reset_tzpath(to=())
