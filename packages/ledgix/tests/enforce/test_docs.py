"""What the documentation shows runs, and it lists what there is."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import re
from pathlib import Path

import pytest
from fake_vault import FakeVault

import ledgix
from ledgix.client import ClientSettings, Ledgix

PACKAGE = Path(__file__).parents[2]
GUIDE = PACKAGE.parents[1] / "docs" / "client.md"


def blocks(text: str) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def run(source: str, namespace: dict) -> str:
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(source, "example", "exec"), namespace)
    return printed.getvalue()


@pytest.mark.parametrize("where", ["README", "docstring"])
def test_the_first_guarded_call_runs_as_printed(vault: FakeVault, where: str) -> None:
    if where == "README":
        (source,) = blocks((PACKAGE / "README.md").read_text())
    else:
        indented = re.findall(
            r"^    .*$|^$", ledgix.__doc__.split("environment:")[1].split("`Ledgix`")[0], re.MULTILINE
        )
        source = "\n".join(line[4:] for line in indented)
    assert len([line for line in source.splitlines() if line.strip()]) <= 10
    assert "refunded 45 USD, approved by" in run(source, {})
    vault.decide = lambda body: "denied"
    assert "the Vault said no: by the test's rules" in run(source, {})


def test_the_guides_examples_run(vault: FakeVault, monkeypatch: pytest.MonkeyPatch) -> None:
    refund, block, detached, client, outcome, keys = blocks(GUIDE.read_text())
    namespace: dict = {}
    run(refund, namespace)
    assert "45" in run(block, namespace)
    vault.decide = lambda body: "pending"
    monkeypatch.setattr(ledgix, "resume", lambda *call: vault.settle(call[1], "approved") or resume(*call))
    resume = ledgix.enforce.resume
    ledgix.configure(client=vault.client(review_mode="detach"))
    assert "refunded 450 USD" in run(detached, namespace)
    vault.decide = lambda body: "approved"
    monkeypatch.setattr(ledgix, "Ledgix", lambda settings: vault.client(agent_id=settings.agent_id))
    namespace = {}
    assert "refunds" in run(client, namespace)
    assert "unknown" in run(outcome, namespace)
    run(keys, namespace)


def test_every_setting_and_every_method_is_documented() -> None:
    text = GUIDE.read_text()
    documented = set(re.findall(r"LEDGIX_[A-Z_]+", text))
    assert documented == {f"LEDGIX_{field.name.upper()}" for field in dataclasses.fields(ClientSettings)}
    methods = {name for name in vars(Ledgix) if not name.startswith("_")} - {"close"}
    assert methods <= set(re.findall(r"`([a-z_]+)`?[`( ,|]", text))
