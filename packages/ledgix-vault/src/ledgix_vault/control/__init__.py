"""How the command line reaches a Vault that runs: a Unix-domain socket in its data directory."""
