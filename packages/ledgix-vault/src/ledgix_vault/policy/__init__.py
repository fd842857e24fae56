"""Policies: the rule language, tool schemas, evaluation, and plain English as rules. Pure: no clock, no I/O."""
