"""Doors: HTTP in, operations called, HTTP out. Translation and nothing else."""
