"""The guide says what is true: every code with its status, and every setting."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from test_config import ENVIRONMENT, ROUTE, USUAL

from ledgix_gateway.codes import Code
from ledgix_gateway.config import config as whole
from ledgix_gateway.config.section import Origin, Section

GUIDE = (Path(__file__).parents[3] / "docs" / "gateway.md").read_text("utf-8")


def test_every_code_is_listed() -> None:
    listed = re.findall(r"^\| `(\w+)` \| (\d{3}) \| (.+) \|$", GUIDE, re.M)
    assert listed == [(str(code), str(code.http_status), code.heading) for code in Code]


def test_every_setting_is_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a section is asked for when the usual configuration is read stands in the table."""
    asked: set[str] = set()
    read = Section._get

    def listening(section: Section, name: str, default: object) -> object:
        place = re.sub(r"\[\d+\]", "[]", section._place)
        asked.add(f"{place}.{name}".lstrip("."))
        return read(section, name, default)

    monkeypatch.setattr(Section, "_get", listening)
    tree: dict[str, Any] = {**USUAL, "routes": [{**ROUTE, "agent": {"header": "X-Agent"}}]}
    tree["ask"] = {"agent": {"header": "X-Agent"}, "session": {"header": "X-Session"}}
    secret = {"env": "KEY"}
    tree["forward_auth"] = [{"path": "/ask", "edge": "caddy", "tool": "shop", "secret": secret}]
    tree["metrics"] = {}
    tree["ext_authz"] = {"port": 9191, "secret": secret}
    whole.read_config(Section(tree, "", Origin(Path(), ENVIRONMENT), name="gateway"))
    table = GUIDE.partition("## Every setting")[2].partition("## Every code")[0]
    documented: set[str] = set()
    for row in re.findall(r"^\| (`.+?) \| ", table, re.M):
        section = ""
        for name in re.findall(r"`([^`]+)`", row):
            full = section + name if name.startswith(".") else name
            section = full.rpartition(".")[0]
            documented.add(full.replace("upstreams.NAME", "upstreams.payments"))
    containers = {name.rpartition(".")[0] for name in asked} | {"routes", "upstreams", "forward_auth"}
    containers |= {name.rpartition(".")[0] for name in containers}
    assert documented == asked - containers
