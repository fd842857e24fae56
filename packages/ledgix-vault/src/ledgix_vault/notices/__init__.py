"""What people and other systems are told about a tenant: which events, by which channel, when, and in which words."""
