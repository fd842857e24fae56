"""The JSON Schema of a policy file, for editors: names, types and what they mean, while somebody types.

It says the form only. Whether conditions compile, and fit the tools, `policies lint` says.
"""

from __future__ import annotations

from typing import Final, cast

from ledgix.formats.json import Json, JsonObject
from ledgix_vault.policy.definition import MOST_RULES
from ledgix_vault.policy.draft import LONGEST_ID, LONGEST_SENTENCE, MOST_SENTENCES, MOST_TOOLS
from ledgix_vault.policy.effect import Effect
from ledgix_vault.policy.globs import LONGEST_GLOB
from ledgix_vault.policy.parts import CALENDAR_WINDOWS, EVER, JudgeMay
from ledgix_vault.policy.reading import LONGEST_TEXT, MOST_CONDITIONS
from ledgix_vault.policy.written import MOST_PARTS, MOST_PATTERNS, MOST_TIMES

_ID: Final[JsonObject] = {"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$"}
_SOURCE: Final[JsonObject] = {
    "type": "string",
    "maxLength": LONGEST_TEXT,
    "description": "The sentence or clause that this stands for; decisions cite it.",
}


def editor_schema() -> JsonObject:
    """JSON Schema 2020-12."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A Ledgix policy",
        **_object(
            ("policy_id",),
            policy_id={"type": "string", "minLength": 1, "maxLength": LONGEST_ID},
            description={"type": "string", "maxLength": LONGEST_TEXT},
            tools=_tools("The tools that the policy covers; left out: all.", MOST_TOOLS),
            sentences=_texts("Rules as plain sentences.", MOST_SENTENCES, LONGEST_SENTENCE),
            facts={"type": "object", "description": "Facts that sentences may name by words, as JSON Schema has them."},
            rules=_list(_rule(), MOST_RULES),
            otherwise=_one_of("What becomes of calls that no rule speaks about; review when left out.", *Effect),
            action_category={"type": "string", "maxLength": 64, "description": "For the ledger: `payments`."},
            tables={"type": "object", "description": "Constants for conditions: `tables.name`."},
            limits=_list(_limit(), MOST_PARTS),
            destinations=_list(_destinations(), MOST_PARTS),
            registers=_list(_register(), MOST_PARTS),
            judge=_judge(),
            retry_after_unknown={
                "type": "boolean",
                "description": "One more mint of a call whose outcome was reported as unknown; false when left out.",
            },
        ),
    }


def _rule() -> JsonObject:
    return _object(
        ("id", "effect", "when"),
        id=_ID,
        effect=_one_of("Deny beats review, review beats approve.", *Effect),
        tools=_tools("Left out: every tool that the policy covers.", MOST_TOOLS),
        when=_conditions("All of these must hold; []: always."),
        source=_SOURCE,
    )


def _limit() -> JsonObject:
    windows = "|".join((*CALENDAR_WINDOWS, EVER))
    return _object(
        ("id", "window", "max"),
        id=_ID,
        tools=_tools("Left out: every tool that the policy covers.", MOST_TOOLS),
        when=_conditions("Which calls count; left out: all."),
        sum={"type": "string", "description": "An expression; left out: every call counts 1."},
        per=_conditions("Calls with the same values share one budget; left out: all of the tenant."),
        window={
            "type": "string",
            "pattern": f"^([1-9][0-9]*[smhd]|{windows})$",
            "description": "Rolling (24h), or day, week, month, year, or ever.",
        },
        timezone={"type": "string", "description": "Of a calendar window: Europe/Berlin. UTC when left out."},
        max={"type": "number", "minimum": 0},
        effect=_one_of("What becomes of a call that goes beyond; deny when left out.", Effect.DENY, Effect.REVIEW),
        source=_SOURCE,
    )


def _destinations() -> JsonObject:
    lists: JsonObject = _object(
        ("id",),
        id=_ID,
        tools=_tools("Left out: every tool that the policy covers.", MOST_TOOLS),
        allow=_patterns("Only these: patterns over host, provider or account."),
        deny=_patterns("Never these."),
        source=_SOURCE,
    )
    return {**lists, "anyOf": [{"required": ["allow"]}, {"required": ["deny"]}]}


def _register() -> JsonObject:
    return _object(
        ("ref", "purposes", "data_categories"),
        ref=_ID,
        purposes=_patterns("What the data may be used for."),
        data_categories=_patterns("Which personal data."),
        recipients=_patterns("Who may receive it; left out: anybody."),
        source=_SOURCE,
    )


def _judge() -> JsonObject:
    return _object(
        ("may",),
        may=_one_of("Lower a verdict, or also approve below the cap in `when`.", *JudgeMay),
        when=_conditions("The cap: it approves only where all of these hold."),
        times={"type": "integer", "minimum": 1, "maximum": MOST_TIMES},
    )


def _object(required: tuple[str, ...], **members: JsonObject) -> JsonObject:
    return {
        "type": "object",
        "properties": cast(Json, members),
        "required": list(required),
        "additionalProperties": False,
    }


def _list(item: JsonObject, most: int) -> JsonObject:
    return {"type": "array", "items": item, "maxItems": most}


def _texts(description: str, most: int, longest: int, shortest: int = 0) -> JsonObject:
    item: JsonObject = {"type": "string", "minLength": shortest, "maxLength": longest}
    return {**_list(item, most), "description": description}


def _tools(description: str, most: int) -> JsonObject:
    return _texts(description, most, LONGEST_GLOB, shortest=1)


def _patterns(description: str) -> JsonObject:
    return {**_texts(description, MOST_PATTERNS, 256, shortest=1), "minItems": 1}


def _conditions(description: str) -> JsonObject:
    return _texts(description, MOST_CONDITIONS, LONGEST_TEXT)


def _one_of(description: str, *values: str) -> JsonObject:
    return {"enum": [str(value) for value in values], "description": description}
