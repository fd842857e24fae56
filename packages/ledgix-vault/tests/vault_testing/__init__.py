"""What the Vault's tests stand on: real engines, a Vault to drive and to break, one checker of every invariant."""
