"""Requests for clearance, decisions over them, and what became of an approval. Pure."""
