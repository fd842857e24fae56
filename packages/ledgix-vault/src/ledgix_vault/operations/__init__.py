"""What the system can do: one file, one operation, one transaction. `steps/` holds what several transactions share."""
