"""Evidence in, report out, offline: what an auditor runs. Depends on `ledgix.formats` only."""

from ledgix.verify.bundle import verify_bundle
from ledgix.verify.report import BundleReport, Outcome, Step

__all__ = ["BundleReport", "Outcome", "Step", "verify_bundle"]
