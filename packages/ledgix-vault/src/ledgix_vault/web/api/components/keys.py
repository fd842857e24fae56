"""API keys."""

from __future__ import annotations

from ledgix_vault.tenancy.api_keys import LONGEST_OVERLAP, MOST_AGENT_IDS, KeyState
from ledgix_vault.tenancy.scopes import Preset, Scope
from ledgix_vault.times import MICROSECONDS
from ledgix_vault.web.api.components.terms import (
    MOMENT,
    STRING,
    UUID,
    Schema,
    a_list,
    an_object,
    one_of,
    or_null,
)

_KEY: dict[str, Schema] = {
    "key_id": UUID,
    "name": STRING,
    "preset": {**or_null(one_of(*Preset)), "description": "The preset with exactly these scopes, if there is one"},
    "scopes": a_list(one_of(*Scope)),
    "agent_ids": a_list(STRING),
    "state": one_of(*KeyState),
    "created_at": MOMENT,
    "expires_at": {**or_null(MOMENT), "description": "From then on the key is of no use; null: it has no end"},
    "revoked_at": or_null(MOMENT),
}

SHAPES: dict[str, Schema] = {
    "ApiKey": an_object(_KEY),
    "ApiKeys": an_object(
        {
            "api_keys": a_list(
                an_object(
                    {**_KEY, "last_used_at": {**or_null(MOMENT), "description": "At most a minute is lost in a crash"}}
                )
            )
        }
    ),
    "NewApiKey": an_object(
        _KEY,
        {
            "api_key": {**STRING, "description": "The secret, shown this once; a replay answers without it"},
            "replaces": {**UUID, "description": "After a rotation: the old key"},
        },
    ),
    "ApiKeyRequest": an_object(
        {"name": {"type": "string", "minLength": 1, "maxLength": 120}},
        {
            "preset": or_null(one_of(*Preset)),
            "scopes": {
                **or_null(a_list(one_of(*Scope))),
                "description": "Single rights; give these or a preset",
            },
            "agent_ids": {
                "type": "array",
                "items": {"type": "string", "minLength": 1, "maxLength": 256},
                "maxItems": MOST_AGENT_IDS,
                "description": "Patterns like `billing-*`; empty: the key may act as any agent",
            },
            "expires_in_days": or_null({"type": "integer", "minimum": 1, "maximum": 3650}),
            "expires_at": or_null(MOMENT),
        },
    ),
    "ApiKeyRotation": an_object(
        {},
        {
            "overlap_seconds": {
                **or_null({"type": "integer", "minimum": 0, "maximum": LONGEST_OVERLAP // MICROSECONDS}),
                "description": "So long the old key stays valid; left out: until it is revoked",
            }
        },
    ),
}
