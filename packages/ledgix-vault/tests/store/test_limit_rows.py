"""`check` finds every row about limits and outcomes that was edited behind the Vault's back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import delete, insert, update
from vault_testing.house import House
from vault_testing.invariants import rows_of

from ledgix_vault.clearance.reports import Reported
from ledgix_vault.store import schema
from ledgix_vault.store.crosscheck.limits import limit_flaws
from ledgix_vault.tenancy.scopes import Preset

pytestmark = pytest.mark.anyio

LIMITS = """
rules:
  - {id: small, effect: approve, tools: [stripe_refund], when: [args.amount <= 100]}
  - {id: large, effect: review, tools: [stripe_refund], when: [args.amount > 100]}
limits:
  - {id: budget, sum: args.amount, window: 24h, max: 1000}
retry_after_unknown: true
"""
SPENT, WAITING, REFUSED, FETCHED, DENIED, RETRIED = 10, 110, 20, 120, 130, 40


async def lived(vault: House) -> None:
    reviewer = await vault.key(Preset.REVIEWER)
    await vault.register(definition=LIMITS)
    await vault.ask(SPENT)
    await vault.ask(WAITING)
    await vault.report(await vault.ask(REFUSED), Reported.REFUSED)
    await vault.approve(fetched := await vault.ask(FETCHED), by=reviewer)
    await vault.poll(fetched)
    await vault.deny(await vault.ask(DENIED), by=reviewer)
    await vault.report(unknown := await vault.ask(RETRIED), Reported.UNKNOWN)
    await vault.mint(unknown, tool_args={"amount": RETRIED})


def flaws(vault: House) -> list[str]:
    tenant_id = vault.owner.tenant_id
    return vault.core.store.read_and_wait(lambda connection: list(limit_flaws(connection, tenant_id)))


def of_use(of: int, /, **values: object) -> Callable[[], Any]:
    return lambda: update(schema.limit_use).where(schema.limit_use.c.amount == str(of)).values(**values)


def of_retry(**values: object) -> Callable[[], Any]:
    return lambda: update(schema.outcome_report).where(schema.outcome_report.c.outcome == "unknown").values(**values)


EDITS: dict[str, tuple[Callable[[], Any], str]] = {
    "a smaller amount": (of_use(SPENT, amount="1"), "something else"),
    "spent is said to be released": (of_use(SPENT, state="released", released_at=1), "released"),
    "spent is said to be reserved": (of_use(SPENT, state="reserved", lapses_at=1), "reserved"),
    "a reservation is said to be released": (of_use(WAITING, state="released", released_at=1), "released"),
    "a refused call still counts": (of_use(REFUSED, state="spent", released_at=None), "spent"),
    "a hand-out counts no more": (of_use(FETCHED, state="released", released_at=1), "released"),
    "a denied request counts": (of_use(DENIED, state="reserved", released_at=None), "reserved"),
    "an earlier moment": (of_use(SPENT, reserved_at=1), "another time"),
    "a time of release": (of_use(SPENT, released_at=1), "time of release"),
    "a use is gone": (lambda: delete(schema.limit_use).where(schema.limit_use.c.amount == str(SPENT)), "else"),
    "all uses are gone": (lambda: delete(schema.limit_use), "else"),
    "a smaller total": (lambda: update(schema.limit_budget).values(total="0"), "says 0"),
    "a later window": (
        lambda: update(schema.limit_budget).values(total="0", since=1_790_000_000_000_000),
        "begins later",
    ),
    "another policy's": (lambda: update(schema.limit_budget).values(policy_id="other"), "its id stands for"),
    "no budget": (lambda: delete(schema.limit_budget), "is missing"),
    "another outcome": (lambda: update(schema.outcome_report).values(outcome="delivered"), "otherwise than entry"),
    "another reporter": (lambda: update(schema.outcome_report).values(reported_by="me"), "otherwise than entry"),
    "another time of report": (lambda: update(schema.outcome_report).values(reported_at=1), "otherwise than entry"),
    "another retry": (of_retry(retried_as="another"), "about its retry"),
    "a retry is forgotten, so that there may be a second": (of_retry(retried_as=None), "about its retry"),
    "a retry that nobody minted": (
        lambda: (
            update(schema.outcome_report).where(schema.outcome_report.c.outcome == "refused").values(retried_as="x")
        ),
        "about its retry",
    ),
    "a retry of what was delivered": (of_retry(outcome="delivered"), "though its outcome is known"),
    "no outcome": (lambda: delete(schema.outcome_report), "outcome is missing"),
}


@pytest.mark.parametrize("template", ["sqlite"], indirect=True)
@pytest.mark.parametrize("name", EDITS)
async def test_an_edited_row_is_found(name: str, vault: House) -> None:
    edit, said = EDITS[name]
    await lived(vault)
    assert flaws(vault) == []
    vault.close()
    with vault.edited() as connection:
        connection.execute(edit())
    vault.open()
    assert any(said in flaw for flaw in flaws(vault)), flaws(vault)
    vault.close()


@pytest.mark.parametrize("template", ["sqlite"], indirect=True)
async def test_an_invented_use_is_found(vault: House) -> None:
    await lived(vault)
    denied = await vault.ask(5000)
    tenant_id = vault.owner.tenant_id
    assert denied["status"] == "denied"
    used = vault.core.store.read_and_wait(lambda connection: rows_of(connection, schema.limit_use, tenant_id))[0]
    vault.close()
    with vault.edited() as connection:
        row = dict(used._mapping) | {"request_id": denied["request_id"], "amount": "0"}
        connection.execute(insert(schema.limit_use).values(**row))
    vault.open()
    assert any("no entry says" in flaw for flaw in flaws(vault))
    vault.close()
