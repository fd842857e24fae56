"""`schemas import`, by a Vault that runs and by one that doesn't."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

SCHEMA = {"type": "object", "properties": {"amount": {"type": "integer"}, "rate": {"type": "number", "minimum": 0.1}}}
CENTS = {"currency": "USD", "unit": "minor"}


@pytest.fixture
def listed(tmp_path: Path) -> Path:
    """What a server answered."""
    file = tmp_path / "tools.json"
    file.write_text(json.dumps({"tools": [{"name": "refund", "inputSchema": SCHEMA}], "nextCursor": "2"}))
    return file


def test_a_list_is_imported_once(vault: Any, cli: Any, serve: Callable[..., Any], listed: Path, tmp_path: Path) -> None:
    money = tmp_path / "money.json"
    money.write_text(json.dumps({"refund": {"amount": CENTS}}))
    first = cli.run("schemas", "import", listed, "--money", money, "--data", vault.data, "--json").json
    assert (first["tenant_name"], first["registered"], first["unchanged"]) == ("acme", ["refund"], [])
    server = serve(vault.data)
    (stored,) = server.ask("/tool-schemas", vault.printed["api_key"])["tool_schemas"]
    assert stored["schema"]["properties"]["amount"] == {"type": "integer", "x-ledgix-money": CENTS}
    assert stored["schema"]["properties"]["rate"] == {"type": "number", "minimum": 0.1}
    again = cli.run("schemas", "import", listed, "--data", vault.data)
    assert again.out.splitlines() == [
        "  unchanged   refund",
        "Nothing was registered: no tool differs from what is known.",
    ]
    assert "import the next page" in again.err


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"tools": [', "tools_list: "),
        ('{"tools": [{"name": "t", "inputSchema": {"type": "array"}}]}', "tools[0] (t): inputSchema.type"),
    ],
    ids=["no JSON", "no object"],
)
def test_what_cannot_be_used_is_refused_with_its_place(
    vault: Any, cli: Any, listed: Path, text: str, said: str
) -> None:
    listed.write_text(text)
    assert said in cli.run("schemas", "import", listed, "--data", vault.data).refusal()


def test_a_long_list_goes_through_the_socket(vault: Any, cli: Any, serve: Callable[..., Any], listed: Path) -> None:
    tools = [{"name": f"t{i}", "inputSchema": {**SCHEMA, "description": "é" * 400}} for i in range(400)]
    listed.write_text(json.dumps({"tools": tools}, ensure_ascii=False))
    serve(vault.data)
    assert len(cli.run("schemas", "import", listed, "--data", vault.data, "--json").json["registered"]) == 400
    listed.write_text(" " * (512 * 1024 + 1))
    assert "larger than 512 KiB" in cli.run("schemas", "import", listed, "--data", vault.data).refusal(2)


def test_a_file_that_is_no_text_is_refused(vault: Any, cli: Any, listed: Path) -> None:
    listed.write_bytes(b"\xff\xfe")
    assert "no UTF-8" in cli.run("schemas", "import", listed, "--data", vault.data).refusal(2)
