"""What policies rest on: documents with their versions, the clauses in them, and quotes that can be verified."""
