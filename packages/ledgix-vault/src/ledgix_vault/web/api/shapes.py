"""The shapes of bodies and answers, for OpenAPI. A test holds real answers against these."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from ledgix.formats.events import ConfidenceBucket, EventKind
from ledgix_vault.clearance.decision import Outcome
from ledgix_vault.clearance.reports import Reported
from ledgix_vault.limits.findings import Result
from ledgix_vault.policy.model import Effect
from ledgix_vault.policy.versions import VersionState
from ledgix_vault.reviews.review import ReviewStatus
from ledgix_vault.sources.document import LONGEST_NAME, FindingCode, MediaKind, Origin
from ledgix_vault.tenancy.judge_settings import Provider
from ledgix_vault.tenancy.suspensions import SuspensionKind

Schema = dict[str, Any]

STRING: Schema = {"type": "string"}
BOOLEAN: Schema = {"type": "boolean"}
INTEGER: Schema = {"type": "integer"}
NUMBER: Schema = {"type": "number"}
OBJECT: Schema = {"type": "object"}
NULL: Schema = {"type": "null"}
UUID: Schema = {"type": "string", "format": "uuid"}
MOMENT: Schema = {"type": "string", "format": "date-time", "description": "RFC 3339, UTC"}
HASH: Schema = {"type": "string", "pattern": "^([0-9a-f]{64})?$", "description": "SHA-256, hex"}


def ref(name: str) -> Schema:
    """A reference to a component."""
    return {"$ref": f"#/components/schemas/{name}"}


def or_null(schema: Schema) -> Schema:
    """That, or null."""
    return {"anyOf": [schema, NULL]}


def a_list(item: Schema) -> Schema:
    """A list of those."""
    return {"type": "array", "items": item}


def one_of(*values: str) -> Schema:
    """One of a closed set of strings."""
    return {"type": "string", "enum": list(values)}


def an_object(required: dict[str, Schema], optional: dict[str, Schema] | None = None) -> Schema:
    """An object with these members."""
    return {"type": "object", "properties": {**required, **(optional or {})}, "required": list(required)}


def answers(name: str, *errors: int, authenticated: bool = True, binary: bool = False) -> dict[str, Any]:
    """For a route: what a good answer looks like, and which problems there may be."""
    media_type = "application/octet-stream" if binary else "application/json"
    statuses = {*errors, 500, *((401, 403, 413, 422, 429, 503) if authenticated else ())}
    return {
        "responses": {
            200: {"description": "Done", "content": {media_type: {"schema": ref(name)}}},
            **{status: problem_answer(status) for status in sorted(statuses)},
        }
    }


def streamed(answered: dict[str, Any], *media_types: str) -> dict[str, Any]:
    """The same, where a good answer may also be a stream of steps."""
    content = answered["responses"][200]["content"]
    content.update({media_type: {"schema": STRING} for media_type in media_types})
    return answered


def problem_answer(status: int) -> dict[str, Any]:
    """The OpenAPI response of a problem (RFC 9457)."""
    return {
        "description": HTTPStatus(status).phrase,
        "content": {"application/problem+json": {"schema": ref("Problem")}},
    }


def body(name: str, *, idempotent: bool = True, required: bool = True) -> dict[str, Any]:
    """For a route: its JSON body, and the header for safe retries."""
    extra: dict[str, Any] = {
        "requestBody": {"required": required, "content": {"application/json": {"schema": ref(name)}}}
    }
    if idempotent:
        extra["parameters"] = [IDEMPOTENCY_PARAMETER]
    return extra


IDEMPOTENCY_PARAMETER = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "schema": {"type": "string", "maxLength": 255},
    "description": "One key for all retries of one request (24 h): the same answer, never a second effect.",
}

DOCUMENT_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": ref("PastedDocument")},
            "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
        },
    },
    "parameters": [IDEMPOTENCY_PARAMETER],
}

_BUCKET = one_of(*ConfidenceBucket)
_EFFECT = one_of(*Effect)
_TEXT_OR_NULL = or_null(STRING)

_REQUEST_FIELDS: dict[str, Schema] = {
    "tool_args": {**OBJECT, "description": "The exact arguments of the call"},
    "agent_id": {**STRING, "default": "default-agent"},
    "session_id": {**STRING, "default": ""},
    "context": {**OBJECT, "description": "policy_id is a hint; facts is what the application knows"},
    "human_principal": _TEXT_OR_NULL,
    "parent_jti": _TEXT_OR_NULL,
    "destination_uri": _TEXT_OR_NULL,
    "destination_provider": _TEXT_OR_NULL,
    "destination_account_ref": _TEXT_OR_NULL,
    "data_categories": or_null(a_list(STRING)),
    "purpose": _TEXT_OR_NULL,
    "processing_register_ref": _TEXT_OR_NULL,
    "dataset_ref": _TEXT_OR_NULL,
    "accepts": a_list(STRING),
}
_DRAFT_FIELDS: dict[str, Schema] = {
    "definition": {**_TEXT_OR_NULL, "description": "Rules in the rule language, as YAML or JSON text"},
    "rules": {"anyOf": [a_list(STRING), NULL], "description": "Plain English"},
    "tools": {"anyOf": [a_list(STRING), NULL], "description": "Globs of the tools that it covers"},
    "version": {"anyOf": [INTEGER, NULL], "description": "A stored version instead, by its number"},
}
_TOOL_NAME = {"type": "string", "minLength": 1, "maxLength": 256}

_DOCUMENT: dict[str, Schema] = {
    "document_id": STRING,
    "document_version_id": UUID,
    "version": INTEGER,
    "name": STRING,
    "media_type": one_of(*MediaKind),
    "origin": one_of(*Origin),
    "original_sha256": HASH,
    "original_size": INTEGER,
    "text_sha256": HASH,
    "text_length": INTEGER,
    "pages": or_null(INTEGER),
    "chunks": INTEGER,
    "chunks_sha256": HASH,
    "findings": a_list(ref("Finding")),
    "newest": BOOLEAN,
    "added_at": MOMENT,
    "added_by": STRING,
}
_CHUNK: dict[str, Schema] = {
    "chunk": INTEGER,
    "page": or_null(INTEGER),
    "heading": a_list(STRING),
    "begins": INTEGER,
    "ends": INTEGER,
    "text": STRING,
}
_REGISTRATION: dict[str, Schema] = {
    "facts": {**OBJECT, "description": "Facts that sentences may name by words, each like a JSON Schema's property"},
    "description": STRING,
    "rules": {**a_list({"type": "string", "maxLength": 2000}), "maxItems": 500, "description": "Plain English"},
    "tools": {**a_list(STRING), "description": "Globs of the tools it covers; empty means all"},
    "definition": {**_TEXT_OR_NULL, "description": "Rules in the rule language, as YAML or JSON text"},
}
_VERSION_LINE: dict[str, Schema] = {
    "policy_id": STRING,
    "version": INTEGER,
    "policy_version_id": UUID,
    "policy_content_hash": HASH,
    "state": one_of(*VersionState),
    "description": STRING,
    "tools": a_list(STRING),
    "rule_count": INTEGER,
    "open_text": {**a_list(STRING), "description": "What sends the covered tools to a person"},
    "authors": {**a_list(STRING), "description": "The API keys that wrote it, each by the first of its rotations"},
    "registered_at": MOMENT,
    "registered_by": STRING,
    "confirmed_at": or_null(MOMENT),
    "confirmed_by": _TEXT_OR_NULL,
    "confirmation_hash": or_null(HASH),
    "activated_at": or_null(MOMENT),
    "activated_by": _TEXT_OR_NULL,
    "replaced": {**or_null(UUID), "description": "The version to which a rollback goes"},
}
_POSITIVE: Schema = {"type": "integer", "minimum": 1}

COMPONENTS: dict[str, Schema] = {
    "Problem": an_object(
        {"type": STRING, "title": STRING, "status": INTEGER, "detail": STRING, "code": STRING},
        {"path": STRING, "scope": STRING, "request_id": STRING, "problems": a_list(OBJECT)},
    ),
    "ClearanceRequest": an_object({"tool_name": _TOOL_NAME}, _REQUEST_FIELDS),
    "Clearance": an_object(
        {
            "status": one_of("processing", "approved", "denied", "pending_review"),
            "decision_status": one_of("approved", "denied", "approved_pending_review"),
            "requires_manual_review": BOOLEAN,
            "token": _TEXT_OR_NULL,
            "reason": STRING,
            "reason_code": _TEXT_OR_NULL,
            "request_id": UUID,
            "confidence_bucket": _BUCKET,
            "minimum_confidence_bucket": _BUCKET,
            "policy_version_id": or_null(UUID),
            "policy_content_hash": or_null(HASH),
            "outcome": one_of(*Outcome),
            "decided_policy_version_id": or_null(UUID),
            "effective_args": or_null(OBJECT),
            "citations": a_list(ref("Citation")),
            "expires_at": or_null(MOMENT),
            "limits": a_list(ref("LimitFinding")),
        }
    ),
    "LimitFinding": an_object(
        {
            "policy_id": STRING,
            "limit_id": STRING,
            "result": one_of(*Result),
            "effect": _EFFECT,
            "window": STRING,
            "maximum": STRING,
        },
        {
            "unit": {**STRING, "description": "`calls`, a currency, or absent for plain numbers"},
            "per": {**OBJECT, "description": "Whose budget it is: the shared values"},
            "used": STRING,
            "asked": STRING,
            "remaining": STRING,
            "frees_at": MOMENT,
            "why": STRING,
            "budget": HASH,
        },
    ),
    "OutcomeReport": an_object(
        {"outcome": one_of(*Reported)},
        {
            "request_id": {"type": "string", "minLength": 1, "maxLength": 64, "description": "This, or jti"},
            "jti": {"type": "string", "minLength": 1, "maxLength": 64},
            "detail": {"type": "string", "maxLength": 2000},
        },
    ),
    "Outcome": an_object(
        {"request_id": UUID, "jti": STRING, "outcome": one_of(*Reported), "detail": STRING, "reported_at": MOMENT}
    ),
    "LimitList": an_object({"limits": a_list(ref("LimitUse"))}),
    "LimitUse": an_object(
        {
            "policy_id": STRING,
            "limit_id": STRING,
            "effect": _EFFECT,
            "window": STRING,
            "maximum": STRING,
            "unit": STRING,
            "per": a_list(STRING),
            "budgets": a_list(an_object({"per": OBJECT, "used": STRING, "remaining": STRING})),
            "total_budgets": INTEGER,
        },
        {"next_period_at": MOMENT},
    ),
    "Citation": an_object(
        {
            "policy_id": STRING,
            "policy_version_id": STRING,
            "document": STRING,
            "section": STRING,
            "quote": STRING,
            "rule_id": STRING,
        },
        {"page": INTEGER},
    ),
    "MintRequest": an_object(
        {"tool_name": _TOOL_NAME, "original_request_id": {"type": "string", "minLength": 1, "maxLength": 64}},
        _REQUEST_FIELDS
        | dict.fromkeys(("policy_id", "policy_version_id", "policy_content_hash"), _TEXT_OR_NULL)
        | {"confidence_bucket": _TEXT_OR_NULL, "reason": _TEXT_OR_NULL},
    ),
    "Minted": an_object({"token": _TEXT_OR_NULL, "reason": STRING, "request_id": UUID}),
    "ConsumeRequest": an_object(
        {"token": {"type": "string", "minLength": 1, "maxLength": 16384}},
        {"tool_name": _TEXT_OR_NULL, "tool_args": or_null(OBJECT)},
    ),
    "Consumed": an_object({"status": one_of("consumed"), "jti": STRING, "request_id": UUID, "claims": ref("Claims")}),
    "Claims": an_object(
        {
            **dict.fromkeys(("iss", "aud", "jti", "tool", "agent_id", "session_id", "policy_id", "tenant"), STRING),
            "sub": one_of("clearance"),
            "decision": one_of("approved"),
            "iat": INTEGER,
            "exp": INTEGER,
            "request_id": UUID,
            "policy_version_id": STRING,
            "tool_args_hash": HASH,
        },
        {"human_principal": STRING, "parent_jti": STRING},
    ),
    "PolicyRegistration": an_object(
        {"policy_id": {"type": "string", "minLength": 1, "maxLength": 128}},
        _REGISTRATION,
    ),
    "PolicyDraft": an_object(
        {},
        {
            "policy_id": {**STRING, "description": "The one in the address; may be left out"},
            **_REGISTRATION,
            "sources": {
                **a_list(an_object({"document_id": STRING}, {"version": or_null(INTEGER)})),
                "maxItems": 100,
                "description": "Documents that it rests on, each in its newest version unless one is named",
            },
            "set_aside": {**a_list(STRING), "description": "Sentences of `rules` that don't apply here"},
        },
    ),
    "PolicyConfirmation": an_object(
        {},
        {
            "set_aside": {**a_list(STRING), "description": "Sentences without a rule that don't apply"},
            "settle": {**a_list(STRING), "description": "Ids of documents of which the rules say everything"},
        },
    ),
    "PolicyRollback": an_object({}, {"version": or_null(_POSITIVE)}),
    "Nothing": {**OBJECT, "description": "No member has a meaning here; the body may be left out"},
    "PolicyVersionLine": an_object(_VERSION_LINE),
    "PolicyVersion": an_object({**_VERSION_LINE, "document": {**OBJECT, "description": "Everything it says"}}),
    "PolicyVersionList": an_object({"versions": a_list(ref("PolicyVersionLine"))}),
    "Policy": an_object(
        {
            "policy_id": STRING,
            "newest": ref("PolicyVersionLine"),
            "active": or_null(ref("PolicyVersionLine")),
            "shadow": or_null(ref("PolicyVersionLine")),
        }
    ),
    "PolicyList": an_object({"policies": a_list(ref("Policy"))}),
    "PolicyDifference": an_object(
        {
            "policy_id": STRING,
            "from": ref("PolicyVersionLine"),
            "to": ref("PolicyVersionLine"),
            "changes": a_list(OBJECT),
            "only_wording": BOOLEAN,
            "text": STRING,
        }
    ),
    "ShadowReport": an_object(
        {
            "policy_id": STRING,
            "policy_version_id": UUID,
            "version": INTEGER,
            "state": one_of(*VersionState),
            "since": MOMENT,
            "evaluated": INTEGER,
            "agreed": INTEGER,
            "differed": INTEGER,
            "differences": a_list(
                an_object(
                    {
                        "decided": one_of(*Outcome),
                        "shadow": one_of(*Outcome),
                        "count": INTEGER,
                        "tools": a_list(STRING),
                        "request_ids": a_list(UUID),
                    }
                )
            ),
        }
    ),
    "PolicyRegistered": an_object(
        {
            "policy_id": STRING,
            "status": one_of("registered"),
            "message": STRING,
            "policy_version_id": UUID,
            "version": INTEGER,
            "policy_content_hash": HASH,
            "state": one_of(*VersionState),
            "rules": a_list(ref("Rule")),
            "uncompiled": a_list(STRING),
            "otherwise": _EFFECT,
        }
    ),
    "Rule": an_object(
        {
            "id": STRING,
            "effect": _EFFECT,
            "tools": a_list(STRING),
            "when": a_list(STRING),
            "source": STRING,
            "assumptions": a_list(STRING),
        }
    ),
    "SimulationRequest": an_object(
        {},
        {
            **_DRAFT_FIELDS,
            "last": {"type": "integer", "minimum": 1, "maximum": 100_000, "description": "That many recorded requests"},
            "calls": {
                **a_list(ref("ClearanceRequest")),
                "minItems": 1,
                "description": "Calls instead of recorded ones",
            },
        },
    ),
    "SimulationResult": an_object(
        {
            "policy_id": STRING,
            "policy_content_hash": HASH,
            "examined": INTEGER,
            "changed": INTEGER,
            "unchanged": INTEGER,
            "changes": a_list(ref("SimulatedChange")),
            "since_recorded": a_list(ref("SimulatedChange")),
            "by_rule": a_list(ref("SimulatedChange")),
            "review_load": an_object(dict.fromkeys(("recorded", "now", "draft", "extra"), INTEGER)),
            "examples": a_list(OBJECT),
            "assumptions": a_list(STRING),
        }
    ),
    "SimulatedChange": an_object(
        {
            "before": _EFFECT,
            "after": _EFFECT,
            "count": INTEGER,
            "amounts": {**OBJECT, "description": "Sums by currency, exact decimals as strings"},
        },
        {"policy_id": STRING, "rule_id": STRING},
    ),
    "DryRunRequest": an_object(
        {"tool_name": _TOOL_NAME},
        {
            **_REQUEST_FIELDS,
            "draft": or_null(an_object({"policy_id": {"type": "string", "minLength": 1}}, _DRAFT_FIELDS)),
        },
    ),
    "DryRun": an_object(
        {
            "dry_run": BOOLEAN,
            "with_draft": BOOLEAN,
            "status": one_of("approved", "denied", "pending_review"),
            "outcome": one_of(*Outcome),
            "reason": STRING,
            "reason_code": _TEXT_OR_NULL,
            "confidence_bucket": _BUCKET,
            "minimum_confidence_bucket": _BUCKET,
            "policy_id": _TEXT_OR_NULL,
            "policy_version_id": _TEXT_OR_NULL,
            "policy_content_hash": or_null(HASH),
            "matched_rule_ids": a_list(STRING),
            "assumptions": a_list(STRING),
            "citations": a_list(ref("Citation")),
            "trace": a_list(OBJECT),
        }
    ),
    "JsonSchema": {**OBJECT, "description": "The JSON Schema of a tool's arguments"},
    "ToolSchema": an_object({"tool_name": STRING, "schema": OBJECT}),
    "UnderstandRequest": an_object(
        {
            "sentences": {**a_list({"type": "string", "maxLength": 2000}), "maxItems": 100},
            "tools": {**a_list(STRING), "description": "Globs of the tools that the policy covers"},
        },
        {"facts": {**OBJECT, "description": "Facts that may be named by words, each like a property of a JSON Schema"}},
    ),
    "Understandings": an_object({"understandings": a_list(ref("Understanding"))}),
    "Understanding": an_object(
        {
            "sentence": STRING,
            "understood": BOOLEAN,
            "rules": a_list(OBJECT),
            "assumptions": a_list(STRING),
            "examples": a_list(
                an_object(
                    {
                        "changed": STRING,
                        "args": OBJECT,
                        "facts": OBJECT,
                        "agent_id": STRING,
                        "at": STRING,
                        "effect": _EFFECT,
                    }
                )
            ),
            "why": {**STRING, "description": "Why it isn't understood; empty when it is"},
            "did_you_mean": a_list(STRING),
        }
    ),
    "ToolSchemaList": an_object({"tool_schemas": a_list(ref("ToolSchema"))}),
    "ToolSchemasImport": an_object(
        {"tools_list": {**OBJECT, "description": "The result of MCP `tools/list`, or the JSON-RPC answer around it"}},
        {"money": {**or_null(OBJECT), "description": "{tool: {path: {currency, unit}}}; else what is declared stays"}},
    ),
    "ToolSchemasImported": an_object(
        {
            "registered": a_list(STRING),
            "unchanged": a_list(STRING),
            "skipped": {**a_list(STRING), "description": "Tools that declare no arguments"},
            "is_partial": {**BOOLEAN, "description": "The server has more, on a further page"},
        }
    ),
    "PastedDocument": an_object(
        {"name": {"type": "string", "minLength": 1, "maxLength": LONGEST_NAME}, "text": STRING},
        {"document_id": STRING, "format": one_of("text", "markdown", "html")},
    ),
    "Document": an_object(_DOCUMENT),
    "DocumentList": an_object({"documents": a_list(ref("Document"))}),
    "DocumentVersions": an_object({"versions": a_list(ref("Document"))}),
    "DocumentRemoved": an_object({"document_id": STRING, "removed_versions": INTEGER}),
    "DocumentChunks": an_object({**_DOCUMENT, "chunks": a_list(ref("Chunk"))}),
    "DocumentText": an_object({"document_version_id": UUID, "text_sha256": HASH, "text": STRING}),
    "OriginalBytes": {"type": "string", "format": "binary"},
    "Finding": an_object({"code": one_of(*FindingCode), "message": STRING}),
    "Chunk": an_object(_CHUNK),
    "Clause": an_object(
        {
            "document_id": STRING,
            "document_version_id": UUID,
            "version": INTEGER,
            "name": STRING,
            "text_sha256": HASH,
            **_CHUNK,
        }
    ),
    "ClauseList": an_object({"clauses": a_list(ref("Clause"))}),
    "ConfluenceImport": an_object({}, {"page_id": STRING, "space_key": STRING}),
    "ConfluenceSettings": an_object({"base_url": STRING, "email": STRING}),
    "ConfluenceConnection": an_object({"base_url": STRING, "email": STRING, "token": STRING}),
    "ReviewItem": an_object(
        {
            "request_id": UUID,
            "requested_at": MOMENT,
            "tool_name": STRING,
            "tool_args": OBJECT,
            "effective_args": or_null(OBJECT),
            "agent_id": STRING,
            "session_id": STRING,
            "human_principal": _TEXT_OR_NULL,
            "destination_provider": _TEXT_OR_NULL,
            "destination_account_ref": _TEXT_OR_NULL,
            "facts": OBJECT,
            "accepts": a_list(STRING),
            "outcome": one_of(*Outcome),
            "reason": STRING,
            "reason_code": _TEXT_OR_NULL,
            "confidence_bucket": _BUCKET,
            "policy_id": _TEXT_OR_NULL,
            "citations": a_list(ref("Citation")),
            "assumptions": a_list(STRING),
            "trace": a_list(OBJECT),
            "limits": a_list(ref("LimitFinding")),
            "judgement": or_null(OBJECT),
            "review_status": one_of(*ReviewStatus),
            "opened_at": MOMENT,
            "expires_at": MOMENT,
            "quorum": INTEGER,
            "approvals": INTEGER,
            "decided_at": or_null(MOMENT),
            "decided_by": _TEXT_OR_NULL,
            "review_reason": STRING,
        }
    ),
    "ReviewPage": an_object({"reviews": a_list(ref("ReviewItem")), "next_cursor": STRING}),
    "ReviewDecision": an_object(
        {"approved": BOOLEAN},
        {"review_reason": {"type": "string", "maxLength": 4000}, "effective_args": or_null(OBJECT)},
    ),
    "ReviewSettings": an_object(
        {},
        {
            "minimum_confidence_bucket": _BUCKET,
            "review_expiry_seconds": {"type": "integer", "minimum": 1, "maximum": 30 * 24 * 3600},
            "quorum": {"type": "integer", "minimum": 1, "maximum": 10},
            "separation_of_duties": BOOLEAN,
            "default_verdict": one_of("review", "deny"),
            "two_person_activation": BOOLEAN,
        },
    ),
    "SuspensionRequest": an_object(
        {"kind": one_of(*SuspensionKind), "reason": {"type": "string", "minLength": 1, "maxLength": 1000}},
        {
            "subject": {
                "type": "string",
                "maxLength": 256,
                "description": "The agent's id or the tool's name, or a pattern; left out for the tenant",
            }
        },
    ),
    "SuspensionRelease": an_object({"reason": {"type": "string", "minLength": 1, "maxLength": 1000}}),
    "Suspension": an_object(
        {
            "suspension_id": UUID,
            "kind": one_of(*SuspensionKind),
            "subject": STRING,
            "reason": STRING,
            "suspended_at": MOMENT,
            "suspended_by": STRING,
            "released_at": or_null(MOMENT),
            "released_by": STRING,
            "release_reason": STRING,
        }
    ),
    "Suspensions": an_object({"suspensions": a_list(ref("Suspension"))}),
    "JudgeSettings": an_object(
        {},
        {
            "enabled": BOOLEAN,
            "provider": one_of(*Provider),
            "base_url": {**STRING, "description": "With /v1 for OpenAI-compatible servers, without it for Anthropic"},
            "model": STRING,
            "may": or_null({**one_of("lower"), "description": "Where a policy has no terms of its own for a judge"}),
            "api_key": {**STRING, "description": "Write-only: comes back masked; the mask stands for the stored key"},
        },
    ),
    "LedgerEntry": an_object(
        {
            "seq": INTEGER,
            "event_uuid": UUID,
            "request_id": UUID,
            "kind": one_of(*EventKind),
            "agent_id": STRING,
            "policy_id": STRING,
            "policy_version_id": STRING,
            "policy_content_hash": HASH,
            "intent_hash": HASH,
            "tool_name": STRING,
            "tool_args": OBJECT,
            "action_category": STRING,
            "action_metadata": OBJECT,
            "reason": STRING,
            "citations": a_list(OBJECT),
            "evidence_chunks": a_list(OBJECT),
            "confidence": NUMBER,
            "approved": BOOLEAN,
            "accepted_at": MOMENT,
            "canonical_version": INTEGER,
            "event_hash": HASH,
            "leaf_hash": HASH,
            "leaf_index": or_null(INTEGER),
            "checkpoint_id": or_null(INTEGER),
            "receipt_algorithm": one_of("Ed25519"),
            "receipt_key_id": STRING,
            "receipt_signature": STRING,
            "receipt_payload": STRING,
            "intent": OBJECT,
        },
        {
            "confidence_bucket": _BUCKET,
            "decision_status": one_of("approved", "denied", "approved_pending_review"),
        },
    ),
    "LedgerEntries": an_object({"entries": a_list(ref("LedgerEntry"))}),
    "Checkpoint": an_object(
        {
            "checkpoint_id": INTEGER,
            "microblock_id": INTEGER,
            "tree_size": INTEGER,
            "root_hash": HASH,
            "checkpoint_hash": HASH,
            "prev_checkpoint_hash": HASH,
            "signature_algorithm": one_of("Ed25519"),
            "signer_key_id": STRING,
            "checkpoint_signature": STRING,
            "checkpoint_payload": STRING,
            "signed_at": MOMENT,
            "mmd_seconds": INTEGER,
            "export_target": STRING,
            "export_uri": STRING,
            "export_status": STRING,
        },
        {"exported_at": MOMENT},
    ),
    "Checkpoints": an_object({"checkpoints": a_list(ref("Checkpoint"))}),
    "LedgerCheck": an_object(
        {"intact": BOOLEAN, "verified_entries": INTEGER, "verified_checkpoints": INTEGER},
        {"latest_leaf_hash": HASH, "latest_checkpoint_hash": HASH, "error": STRING},
    ),
    "InclusionProof": an_object(
        {
            "event_uuid": UUID,
            "request_id": UUID,
            "event_hash": HASH,
            "leaf_hash": HASH,
            "leaf_index": INTEGER,
            "tree_size": INTEGER,
            "path": a_list(HASH),
            "checkpoint": ref("Checkpoint"),
        }
    ),
    "ConsistencyProof": an_object(
        {"from_checkpoint": ref("Checkpoint"), "to_checkpoint": ref("Checkpoint"), "path": a_list(HASH)}
    ),
    "ProofBundle": an_object(
        {
            "event": ref("LedgerEntry"),
            "inclusion": ref("InclusionProof"),
            "keys": a_list(ref("LedgerKey")),
            "related": a_list(an_object({"event_uuid": UUID, "kind": one_of(*EventKind)})),
        },
        {"consistency": ref("ConsistencyProof")},
    ),
    "Health": an_object({"status": STRING}),
    "LedgerKey": an_object(
        {
            "key_id": STRING,
            "algorithm": one_of("Ed25519"),
            "public_jwk": STRING,
            "active_from": MOMENT,
            "attestation_payload": STRING,
            "attestation_signature": STRING,
            "attestation_key_id": STRING,
            "attestation_status": one_of("initial", "attested"),
        },
        {"retired_at": MOMENT},
    ),
    "KeySet": an_object({"keys": a_list(ref("JsonWebKey"))}),
    "JsonWebKey": an_object(
        {
            "kty": one_of("OKP"),
            "crv": one_of("Ed25519"),
            "x": STRING,
            "kid": STRING,
            "use": one_of("sig"),
            "alg": one_of("EdDSA"),
        }
    ),
}
