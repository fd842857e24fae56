"""Tenants, people, API keys, and what each may do: facts and rules, no clock, no I/O."""
