"""The page at /docs: complete, self-contained, and with examples that the API takes."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser
from typing import Any

import jsonschema_rs
import pytest
from fastapi import FastAPI

from ledgix_vault.web.api import ledger, limits, open, policies, policy_versions, reviews, simulation, suspensions
from ledgix_vault.web.docs_examples import BODIES
from ledgix_vault.web.docs_page import CONTENT_SECURITY_POLICY, render_docs
from ledgix_vault.web.openapi import describe

VOID = {"meta", "br", "hr", "link", "img", "input"}


@pytest.fixture(scope="module")
def description() -> dict[str, Any]:
    api = FastAPI(title="Ledgix Vault", version="1", description="Says `yes` & <no>.")
    for room in (open, policies, policy_versions, limits, simulation, reviews, suspensions, ledger):
        api.include_router(room.router)
    return describe(api)


@pytest.fixture(scope="module")
def page(description: dict[str, Any]) -> str:
    return render_docs(description)


class Outline(HTMLParser):
    """Tags that are closed in order, ids, links, and everything that could fetch or run something."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.tags: set[str] = set()
        self.attributes: set[str] = set()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        if tag not in VOID:
            self.open.append(tag)
        for name, value in attributes:
            self.attributes.add(name)
            if name == "id":
                self.ids.append(value or "")
            if name == "href":
                self.links.append(value or "")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def outline(page: str) -> Outline:
    found = Outline()
    found.feed(page)
    assert not found.open
    return found


def test_every_endpoint_is_there_with_an_example(page: str, description: dict[str, Any]) -> None:
    for path, methods in description["paths"].items():
        for method in methods:
            assert re.search(rf'class="method {method}">{method.upper()}</span> <code>{re.escape(path)}</code>', page)
    assert page.count("curl ") == sum(len(methods) for methods in description["paths"].values())


def test_links_arrive_and_ids_are_unique(page: str) -> None:
    found = outline(page)
    assert len(set(found.ids)) == len(found.ids)
    assert {link for link in found.links if link.startswith("#")} <= {f"#{name}" for name in found.ids}
    assert {link for link in found.links if not link.startswith("#")} == {"/openapi.json"}


def test_nothing_runs_and_nothing_is_fetched(page: str) -> None:
    found = outline(page)
    assert not found.tags & {"script", "link", "img", "iframe", "form", "object"}
    assert not any(name.startswith("on") or name in {"style", "src"} for name in found.attributes)


def test_the_policy_allows_exactly_this_style(page: str) -> None:
    (style,) = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in CONTENT_SECURITY_POLICY
    assert "unsafe" not in CONTENT_SECURITY_POLICY


def test_both_colour_schemes(page: str) -> None:
    assert "prefers-color-scheme: dark" in page
    assert "color-scheme: light dark" in page


def test_text_is_escaped_and_code_is_marked(page: str) -> None:
    assert "Says <code>yes</code> &amp; &lt;no&gt;." in page


def test_every_body_has_an_example_that_its_schema_takes(description: dict[str, Any]) -> None:
    needed = {
        operation["requestBody"]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
        for methods in description["paths"].values()
        for operation in methods.values()
        if "requestBody" in operation
    }
    assert set(BODIES) == needed
    for name, example in BODIES.items():
        schema = {"$ref": f"#/components/schemas/{name}", "components": description["components"]}
        jsonschema_rs.validate(schema, example)
        assert not set(example) - set(description["components"]["schemas"][name].get("properties", example))
