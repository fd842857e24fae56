"""What is probably not meant in a policy that compiles. Only what is proven is said."""

from __future__ import annotations

from ledgix_vault.policy.lint.findings import Code, Finding, Severity
from ledgix_vault.policy.lint.lint import lint

__all__ = ["Code", "Finding", "Severity", "lint"]
