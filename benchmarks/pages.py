"""How long pages take with 100,000 requests in the ledger, through the whole application, without a network."""

from __future__ import annotations

import asyncio
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, cast

import httpx
from msgspec.structs import replace

from ledgix.formats.events import EventKind
from ledgix.formats.json import JsonObject
from ledgix_vault.app import OpenVault, initialise, open_vault
from ledgix_vault.clearance.clearance import Clearance, TokenFacts
from ledgix_vault.clearance.request import ClearanceRequest
from ledgix_vault.ids import new_id
from ledgix_vault.operations.accept_invitation import join_as_new
from ledgix_vault.operations.change_review_settings import change_review_settings
from ledgix_vault.operations.create_tenant import Owner
from ledgix_vault.operations.decide_review import Verdict, decide_review
from ledgix_vault.operations.manage_members import invite_for_tenant
from ledgix_vault.operations.register_policy import register_policy
from ledgix_vault.operations.request_clearance import request_clearance
from ledgix_vault.operations.sign_checkpoints import sign_checkpoints
from ledgix_vault.operations.steps.drafting import Registration
from ledgix_vault.operations.steps.record import intent_of, record_new
from ledgix_vault.settings import Settings
from ledgix_vault.store.unit import Unit
from ledgix_vault.store.writer import Outcome
from ledgix_vault.tenancy.api_keys import ApiKey, hash_secret
from ledgix_vault.tenancy.people import Role
from ledgix_vault.tenancy.settings import ReviewSettings
from ledgix_vault.vault import Vault, system_clock
from ledgix_vault.web.app import build_app
from ledgix_vault.web.dashboard.door import COOKIE
from ledgix_vault.worker import Worker
from postgres import analyze

SEED = 20260101
REQUESTS, AT_ONCE, REVIEWS, ROUNDS = 100_000, 250, 500, 30
REVIEWS_AT_ONCE = 20
DAYS = 30
MICROSECONDS_A_DAY = 86_400_000_000
ORIGIN = "https://bench.example"
TOOLS = [
    f"{verb}_{thing}" for verb in ("refund", "send", "update", "delete") for thing in ("order", "mail", "customer")
]
RULES = """
rules:
  - {id: small, effect: approve, when: [args.amount <= 100]}
  - {id: large, effect: deny, when: [args.amount > 1000]}
"""
LIMITED = """
rules: [{id: all, effect: approve, when: []}]
limits: [{id: month, sum: 'money(args.amount, "USD")', window: month, max: 1000}]
"""


class Clock:
    """Time as the filling wants it, then as it is."""

    def __init__(self) -> None:
        self.ahead = 0

    def __call__(self) -> int:
        return system_clock() + self.ahead


def pages(database_url: str | None = None) -> dict[str, tuple[float, float]]:
    """Median and slowest in milliseconds, by what is looked at. On SQLite, or in an empty PostgreSQL database."""
    clock = Clock()
    clock.ahead = -DAYS * MICROSECONDS_A_DAY
    with tempfile.TemporaryDirectory() as directory:
        settings = Settings.load(data_dir=Path(directory) / "vault", database_url=database_url, public_url=ORIGIN)
        made = initialise(settings, "bench", Owner("owner@example.com", "no hash"), clock=clock)
        with open_vault(settings, clock=clock) as opened:
            caller = opened.vault.store.key_by_hash(hash_secret(made.api_key))
            assert caller is not None
            return asyncio.run(_measure(opened, caller, clock))


async def _measure(opened: OpenVault, caller: ApiKey, clock: Clock) -> dict[str, tuple[float, float]]:
    vault = opened.vault
    await change_review_settings(vault, caller, {"review_expiry_seconds": DAYS * 86_400})
    await register_policy(vault, caller, Registration("refunds", "", (), ("refund_*", "send_*"), RULES), None)
    await register_policy(vault, caller, Registration("gifts", "", (), ("send_gift",), LIMITED), None)
    await _fill(vault, caller, clock)
    analyze(vault.settings.database_url)
    clock.ahead = 0
    newest = (await _ask(vault, caller, {"amount": 45}, "send_gift", "support-agent")).request_id
    await sign_checkpoints(vault, opened.high_water)
    _, link = await invite_for_tenant(vault, caller.tenant_id, "auditor@example.com", Role.AUDITOR)
    session = await join_as_new(vault, link, "", "correct horse battery staple", "")
    app = cast("Any", build_app(vault, Worker(vault, opened.high_water)))
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url=ORIGIN, cookies={COOKIE: session}, headers={"Accept": "text/html"}
    ) as browser:
        return {name: await _time(browser, path) for name, path in (await _looks(browser, newest)).items()}


async def _fill(vault: Vault, caller: ApiKey, clock: Clock) -> None:
    """Requests over 30 days, most by a few agents, like some that were truly asked; some wait for a person, and people
    decided some."""
    chance, waiting = random.Random(SEED), []
    samples = [await _ask(vault, caller, {"amount": amount}, tool, "x") for tool in TOOLS for amount in (45, 450, 4500)]
    for start in range(0, REQUESTS, AT_ONCE):
        clock.ahead = int(-DAYS * MICROSECONDS_A_DAY * (1 - start / REQUESTS))
        made = [_like(chance.choice(samples), chance) for _ in range(AT_ONCE)]
        await vault.store.run(partial(_record, vault, made))
        waiting += [each.request_id for each in made if each.decision.needs_person]
    decided = waiting[-REVIEWS:]
    for start in range(0, len(decided), REVIEWS_AT_ONCE):
        reviews = [
            decide_review(vault, caller, each, Verdict(True, "Seen.", None), None)
            for each in decided[start : start + REVIEWS_AT_ONCE]
        ]
        await asyncio.gather(*reviews)


def _record(vault: Vault, made: list[Clearance], unit: Unit) -> Outcome[None]:
    for each in made:
        begun = each.begun(unit.now, vault.settings.jwt_ttl, DAYS * 86_400)
        record_new(unit, begun, intent_of(begun, EventKind.CLEARANCE_DECIDED), ReviewSettings(), unit.now)
    return Outcome(None)


def _like(sample: Clearance, chance: random.Random) -> Clearance:
    """Another request that was decided the same way."""
    note: JsonObject = {"note": f"order {chance.randrange(10**6)}"}
    request = replace(
        sample.request,
        agent_id=f"agent-{min(chance.randrange(200), 40)}",
        tool_args=sample.request.tool_args | note,
    )
    token = None if sample.token is None else TokenFacts(new_id(), sample.token.kid)
    return replace(sample, request_id=new_id(), request=request, token=token)


async def _ask(vault: Vault, caller: ApiKey, args: JsonObject, tool: str, agent_id: str) -> Clearance:
    asked = ClearanceRequest.parse({"tool_name": tool, "tool_args": args, "agent_id": agent_id})
    clearance, _ = await request_clearance(vault, caller, asked, None)
    return clearance


async def _looks(browser: httpx.AsyncClient, newest: str) -> Mapping[str, str]:
    """What is looked at, by address. The rare ones find nothing, and so look as far as one look goes."""
    deep = "/app/requests"
    for _ in range(20):
        page = (await browser.get(deep)).text
        deep = "/app/requests" + next(part.partition('"')[0] for part in page.split('href="') if "cursor=" in part)
    return {
        "overview, 24 hours": "/app/",
        "overview, 7 days": "/app/?range=7d",
        "overview, 30 days": "/app/?range=30d",
        "requests, newest": "/app/requests",
        "requests, twenty pages back": deep,
        "requests by tool, agent and outcome": "/app/requests?tool=refund_*&agent_id=agent-7&outcome=denied",
        "requests by an agent that has none": "/app/requests?agent_id=nobody",
        "requests by text that few have": "/app/requests?text=order+99",
        "requests by text that none has": "/app/requests?text=nothing+of+that",
        "one request": f"/app/requests/{newest}",
        "one request's proof": f"/app/requests/{newest}/bundle.json",
    }


async def _time(browser: httpx.AsyncClient, path: str) -> tuple[float, float]:
    times = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        answer = await browser.get(path)
        times.append(1000 * (time.perf_counter() - started))
        assert answer.status_code == 200, answer.text[:400]
    return statistics.median(times), max(times)


if __name__ == "__main__":
    for looked_at, (median, slowest) in pages(*sys.argv[1:]).items():
        print(f"{looked_at:40} {median:7.1f} {slowest:7.1f}")
