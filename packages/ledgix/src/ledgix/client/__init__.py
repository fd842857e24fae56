"""The client of a Ledgix Vault, blocking (`Ledgix`) and asynchronous (`AsyncLedgix`).

`core` and what it wires hold all rules and do no I/O: they build requests, decide about retries and waiting, and check
answers. `sync` and `aio` transport and sleep, in a few lines for each operation.
"""

from __future__ import annotations

from ledgix.client.aio import AsyncLedgix, AsyncPendingReview
from ledgix.client.answers import (
    Clearance,
    Consumed,
    Outcome,
    OutcomeReport,
    PolicyDifference,
    PolicyRegistered,
    PolicySummary,
    PolicyVersion,
    ReportedOutcome,
    ReviewPage,
    ReviewSettings,
    ReviewSummary,
    ShadowReport,
    Status,
    ToolSchema,
    ToolSchemasImported,
)
from ledgix.client.asked import CHANGED_ARGS, CallDetails, ClearanceRequest
from ledgix.client.ledger import LedgerEntry, LedgerVerification, ProofBundle
from ledgix.client.replay import ReplayMemories, ReplayMemory
from ledgix.client.settings import ClientSettings, ReviewMode
from ledgix.client.sync import Ledgix, PendingReview
from ledgix.client.told import OutcomeToReport

__all__ = [
    "CHANGED_ARGS",
    "AsyncLedgix",
    "AsyncPendingReview",
    "CallDetails",
    "Clearance",
    "ClearanceRequest",
    "ClientSettings",
    "Consumed",
    "LedgerEntry",
    "LedgerVerification",
    "Ledgix",
    "Outcome",
    "OutcomeReport",
    "OutcomeToReport",
    "PendingReview",
    "PolicyDifference",
    "PolicyRegistered",
    "PolicySummary",
    "PolicyVersion",
    "ProofBundle",
    "ReplayMemories",
    "ReplayMemory",
    "ReportedOutcome",
    "ReviewMode",
    "ReviewPage",
    "ReviewSettings",
    "ReviewSummary",
    "ShadowReport",
    "Status",
    "ToolSchema",
    "ToolSchemasImported",
]
