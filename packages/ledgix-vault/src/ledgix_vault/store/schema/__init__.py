"""The tables, once, for both engines. Alembic's migrations must arrive at exactly this (a test compares them).

Conventions: ids are text (UUIDs, RFC 7638 thumbprints), moments are integers of microseconds since the Unix epoch,
hashes and signatures are raw bytes, JSON is text in RFC 8785 form. Every table but `tenant`, `signing_key` and those of
people (`person`, `session`), who may belong to several tenants, starts its key with `tenant_id`, and no query takes an
id without it.
"""

from ledgix_vault.store.schema.clearances import clearance, outcome_report, request_total, review, review_vote
from ledgix_vault.store.schema.conventions import metadata
from ledgix_vault.store.schema.documents import SEARCH_INDEX, confluence_connection, document_chunk, document_version
from ledgix_vault.store.schema.jobs import idempotency, job
from ledgix_vault.store.schema.ledger import APPEND_ONLY, checkpoint, event, log, signing_key, tile
from ledgix_vault.store.schema.limits import limit_budget, limit_use
from ledgix_vault.store.schema.notifications import delivery, notification, notification_setting, slack_code, slack_link
from ledgix_vault.store.schema.people import (
    ceremony,
    invitation,
    membership,
    passkey,
    person,
    person_identity,
    recovery_code,
    session,
    single_sign_on,
    totp,
)
from ledgix_vault.store.schema.policies import policy_version, tool_schema
from ledgix_vault.store.schema.tenants import api_key, judge_setting, suspension, tenant

__all__ = [
    "APPEND_ONLY",
    "SEARCH_INDEX",
    "api_key",
    "ceremony",
    "checkpoint",
    "clearance",
    "confluence_connection",
    "delivery",
    "document_chunk",
    "document_version",
    "event",
    "idempotency",
    "invitation",
    "job",
    "judge_setting",
    "limit_budget",
    "limit_use",
    "log",
    "membership",
    "metadata",
    "notification",
    "notification_setting",
    "outcome_report",
    "passkey",
    "person",
    "person_identity",
    "policy_version",
    "recovery_code",
    "request_total",
    "review",
    "review_vote",
    "session",
    "signing_key",
    "single_sign_on",
    "slack_code",
    "slack_link",
    "suspension",
    "tenant",
    "tile",
    "tool_schema",
    "totp",
]
