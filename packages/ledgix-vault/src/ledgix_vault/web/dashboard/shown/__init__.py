"""What pages show of policies and tools: values for templates, made from nouns."""
