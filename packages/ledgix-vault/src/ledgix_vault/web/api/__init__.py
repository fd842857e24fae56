"""The endpoints beside the hot path, one file for each noun."""
