"""The main job on a real Vault: ask, decide, record, run once, prove. `make demo` runs this.

It checks what it shows: anything that is not as expected ends it with status 1.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from ledgix_python import LedgixClient, VaultConfig

import ledgix
import local_vault
from agent import SupportAgent
from ledgix import ClientSettings, Ledgix
from local_vault import CommandFailed, LocalVault
from protected import only_through_the_gateway
from published_agent import PublishedAgent
from scenes import Desk, people_decide, prove, send_calls, tokens_are_for_one_call
from screen import Screen, Unexpected
from shop import HERE, TOOL, Payments

AGENT_ID = "support-agent"
PRESETS = ("agent", "gateway", "reviewer", "auditor")
POLL = 0.1
"""Seconds between two looks at a review; applications look less often."""


def main() -> int:
    """The whole demo; its exit status."""
    screen, began = Screen(), time.monotonic()
    try:
        with tempfile.TemporaryDirectory(prefix="ledgix-demo-") as temporary:
            _play(screen, Path(temporary))
    except (Unexpected, CommandFailed, ledgix.LedgixError) as error:
        screen.failed(error)
        return 1
    screen.end(time.monotonic() - began)
    return 0


def _play(screen: Screen, temporary: Path) -> None:
    directory = temporary / "vault"
    screen.scene("A Vault of its own", "`ledgix-vault init` and `serve`, on a temporary directory")
    with local_vault.running(directory) as vault, _desk(vault, screen) as desk:
        _set_rules(desk)
        calls = send_calls(desk)
        people_decide(desk, calls)
        tokens_are_for_one_call(desk, calls)
        only_through_the_gateway(desk, vault.create_key("gateway", "demo edge"), temporary)
        prove(desk, calls, temporary)
    _check(screen, directory)


def _check(screen: Screen, directory: Path) -> None:
    screen.scene("The Vault has stopped", "`ledgix-vault check` derives the whole ledger anew from what is stored")
    checked = local_vault.run("ledgix-vault", "check", "--data", directory)
    screen.command("ledgix-vault check --data …", checked.stdout)
    screen.expect(checked.returncode == 0, f"check ended with {checked.returncode}: {checked.stderr}")
    _edit_the_past(directory)
    checked = local_vault.run("ledgix-vault", "check", "--data", directory)
    screen.command("ledgix-vault check --data …   # somebody edited a row: 2500 became 250", checked.stdout)
    screen.expect(checked.returncode == 1, f"check of an edited database ended with {checked.returncode}")


def _edit_the_past(directory: Path) -> None:
    """What somebody with full rights on the database could do: the table is append-only until they say otherwise."""
    with contextlib.closing(sqlite3.connect(directory / "vault.db")) as database, database:
        guards = database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'event'")
        for (name,) in guards.fetchall():
            database.execute(f"DROP TRIGGER {name}")
        database.execute("""UPDATE event SET intent = replace(intent, '"amount":2500', '"amount":250')""")


@contextlib.contextmanager
def _desk(vault: LocalVault, screen: Screen) -> Iterator[Desk]:
    """Everybody with a key of their own, which can do no more than their job."""
    secrets = {preset: vault.create_key(preset, f"demo {preset}") for preset in PRESETS}
    screen.say(f"Listening on {vault.url}. API keys: {', '.join(secrets)}; each can do its own job and no other.")
    payments = Payments(_client(vault, secrets["gateway"]))
    asking = _client(vault, secrets["agent"])
    published = _published(vault, secrets["agent"])
    desk = Desk(
        screen=screen,
        owner=_client(vault, vault.api_key),
        asking=asking,
        reviewer=_client(vault, secrets["reviewer"]),
        auditor=_client(vault, secrets["auditor"]),
        published_auditor=_published(vault, secrets["auditor"]),
        payments=payments,
        agent=SupportAgent(payments),
        published_agent=PublishedAgent(published, payments),
    )
    ledgix.configure(client=asking)
    with contextlib.ExitStack() as stack:
        for client in (desk.owner, asking, payments.gateway, desk.reviewer, desk.auditor):
            stack.enter_context(client)
        for older in (published, desk.published_auditor):
            stack.enter_context(older)
        yield desk


def _client(vault: LocalVault, secret: str) -> Ledgix:
    return Ledgix(
        ClientSettings(
            vault_url=vault.url,
            vault_api_key=secret,
            agent_id=AGENT_ID,
            review_mode=ledgix.ReviewMode.DETACH,
            review_poll_interval=POLL,
        )
    )


def _published(vault: LocalVault, secret: str) -> LedgixClient:
    return LedgixClient(
        VaultConfig(
            vault_url=vault.url,
            vault_api_key=secret,
            agent_id=AGENT_ID,
            review_mode="detach",
            review_poll_interval=POLL,
        )
    )


def _set_rules(desk: Desk) -> None:
    policy = json.loads((HERE / "policy.json").read_text("utf-8"))
    desk.screen.scene("The rules", "two policies for one tool: plain English, and the rule language")
    desk.owner.register_tool_schema(TOOL, json.loads((HERE / "stripe_refund.json").read_text("utf-8")))
    english = desk.owner.register_policy(
        policy["policy_id"], policy["rules"], tools=policy["tools"], description=policy["description"]
    )
    desk.screen.bullets(f"refunds: {english.message}", policy["rules"])
    orders = desk.owner.register_policy(
        "orders", tools=[TOOL], definition=(HERE / "orders.yaml").read_text("utf-8"), description="What was paid"
    )
    desk.screen.bullets(f"orders: {orders.message}", ["see examples/refunds/orders.yaml"])
    desk.screen.expect(not english.answer["uncompiled"], "a sentence was not understood")


if __name__ == "__main__":
    sys.exit(main())
