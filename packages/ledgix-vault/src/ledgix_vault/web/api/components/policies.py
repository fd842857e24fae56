"""Policies, their versions, simulations and tool schemas."""

from __future__ import annotations

from ledgix_vault.clearance.decision import Outcome
from ledgix_vault.policy.versions import VersionState
from ledgix_vault.web.api.components.terms import (
    BOOLEAN,
    BUCKET,
    EFFECT,
    HASH,
    INTEGER,
    MOMENT,
    NULL,
    OBJECT,
    REQUEST_FIELDS,
    STRING,
    TEXT_OR_NULL,
    TOOL_NAME,
    UUID,
    Schema,
    a_list,
    an_object,
    one_of,
    or_null,
    ref,
)

_DRAFT_FIELDS: dict[str, Schema] = {
    "definition": {**TEXT_OR_NULL, "description": "Rules in the rule language, as YAML or JSON text"},
    "rules": {"anyOf": [a_list(STRING), NULL], "description": "Plain English"},
    "tools": {"anyOf": [a_list(STRING), NULL], "description": "Globs of the tools that it covers"},
    "version": {"anyOf": [INTEGER, NULL], "description": "A stored version instead, by its number"},
}
_REGISTRATION: dict[str, Schema] = {
    "facts": {**OBJECT, "description": "Facts that sentences may name by words, each like a JSON Schema's property"},
    "description": STRING,
    "rules": {**a_list({"type": "string", "maxLength": 2000}), "maxItems": 500, "description": "Plain English"},
    "tools": {**a_list(STRING), "description": "Globs of the tools it covers; empty means all"},
    "definition": {**TEXT_OR_NULL, "description": "Rules in the rule language, as YAML or JSON text"},
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
    "confirmed_by": TEXT_OR_NULL,
    "confirmation_hash": or_null(HASH),
    "activated_at": or_null(MOMENT),
    "activated_by": TEXT_OR_NULL,
    "replaced": {**or_null(UUID), "description": "The version to which a rollback goes"},
}
_POSITIVE: Schema = {"type": "integer", "minimum": 1}

SHAPES: dict[str, Schema] = {
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
            "otherwise": EFFECT,
        }
    ),
    "Rule": an_object(
        {
            "id": STRING,
            "effect": EFFECT,
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
            "before": EFFECT,
            "after": EFFECT,
            "count": INTEGER,
            "amounts": {**OBJECT, "description": "Sums by currency, exact decimals as strings"},
        },
        {"policy_id": STRING, "rule_id": STRING},
    ),
    "DryRunRequest": an_object(
        {"tool_name": TOOL_NAME},
        {
            **REQUEST_FIELDS,
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
            "reason_code": TEXT_OR_NULL,
            "confidence_bucket": BUCKET,
            "minimum_confidence_bucket": BUCKET,
            "policy_id": TEXT_OR_NULL,
            "policy_version_id": TEXT_OR_NULL,
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
                        "effect": EFFECT,
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
}
