"""Policies as code: policies, tool schemas and cases from texts, every flaw with line and column."""
