"""The JSON Schema for editors knows what the reader knows, and accepts what the reader accepts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import yaml

from ledgix_vault.policy import definition, written
from ledgix_vault.policy.code.editor_schema import editor_schema
from ledgix_vault.policy.code.policy_file import FILE_MEMBERS

EXAMPLES = sorted((Path(__file__).parents[4] / "examples" / "policies").glob("*/*.yaml"))
SCHEMA: Any = editor_schema()
PROPERTIES = SCHEMA["properties"]
GOOD = {"policy_id": "p", "rules": [{"id": "r", "effect": "deny", "when": []}]}


def fits(policy: Any) -> bool:
    return jsonschema_rs.validator_for(SCHEMA, offline=True).is_valid(policy)


def test_it_is_a_schema() -> None:
    jsonschema_rs.meta.validate(SCHEMA)
    assert fits(GOOD)


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.name)
def test_every_example_fits(file: Path) -> None:
    assert fits(yaml.safe_load(file.read_text("utf-8")))


def test_it_has_exactly_the_members_that_the_reader_knows() -> None:
    assert set(PROPERTIES) == {*FILE_MEMBERS, *definition.MEMBERS}
    assert set(PROPERTIES["rules"]["items"]["properties"]) == set(definition._RULE)
    assert set(PROPERTIES["limits"]["items"]["properties"]) == set(written._LIMIT)
    assert set(PROPERTIES["destinations"]["items"]["properties"]) == set(written._DESTINATIONS)
    assert set(PROPERTIES["registers"]["items"]["properties"]) == set(written._REGISTER)
    assert set(PROPERTIES["judge"]["properties"]) == set(written._JUDGE)


@pytest.mark.parametrize(
    "further",
    [
        {"policy_id": ""},
        {"otherwise": "allow"},
        {"ruels": []},
        {"tools": [""]},
        {"rules": [{"id": "r", "effect": "deny"}]},
        {"rules": [{"id": "r r", "effect": "deny", "when": []}]},
        {"limits": [{"id": "l", "window": "fortnight", "max": 1}]},
        {"limits": [{"id": "l", "window": "day", "max": -1}]},
        {"limits": [{"id": "l", "window": "day", "max": 1, "effect": "approve"}]},
        {"destinations": [{"id": "d"}]},
        {"registers": [{"ref": "r", "purposes": []}]},
        {"judge": {"may": "decide"}},
    ],
    ids=str,
)
def test_what_the_reader_refuses_does_not_fit(further: Any) -> None:
    assert not fits(GOOD | further)
