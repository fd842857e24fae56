"""Reviews and the moves that they allow. Pure."""
