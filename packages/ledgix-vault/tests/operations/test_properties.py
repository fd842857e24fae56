"""Whatever is done in whatever order, with whatever failing in between, every invariant holds."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from vault_testing.faults import Fault
from vault_testing.house import Answer, House, Template
from vault_testing.invariants import check_invariants

from ledgix_vault.clearance.reports import Reported
from ledgix_vault.errors import CallerError, Unavailable
from ledgix_vault.tenancy.scopes import Preset

RULES = """
rules:
  - {id: large, effect: review, when: [args.amount > 100]}
  - {id: small, effect: approve, when: [args.amount <= 100]}
"""


@dataclass
class Story:
    """A Vault, and what has been asked so far; each act takes a number that chooses what it is about."""

    vault: House
    asked: list[Answer] = field(default_factory=list)
    outcomes: dict[str, str] = field(default_factory=dict)  # by Idempotency-Key

    def one(self, number: int) -> Answer:
        return self.asked[number % len(self.asked)]

    async def ask(self, number: int) -> None:
        key = f"ask {number}"
        again = await self.vault.ask((45, 450, 4500)[number % 3], key=key)
        assert self.outcomes.setdefault(key, again["request_id"]) == again["request_id"]
        self.asked.append(again)

    async def poll(self, number: int) -> None:
        answer = await self.vault.poll(self.one(number))
        if answer["token"]:
            self.asked.append(answer)

    async def approve(self, number: int) -> None:
        await self.vault.approve(self.one(number), by=await self.reviewer(number), key=f"approve {number}")

    async def deny(self, number: int) -> None:
        await self.vault.deny(self.one(number), by=await self.reviewer(number))

    async def cancel(self, number: int) -> None:
        await self.vault.deny(self.one(number))

    async def consume(self, number: int) -> None:
        if self.one(number)["token"]:
            await self.vault.consume(self.one(number), key=f"consume {number}")

    async def mint(self, number: int) -> None:
        self.asked.append(await self.vault.mint(self.one(number), key=f"mint {number}"))

    async def lose(self, number: int) -> None:
        await self.vault.report(self.one(number), list(Reported)[number % 3], key=f"report {number}")

    async def allow_retries(self, number: int) -> None:
        await self.vault.register(definition=RULES if number % 2 else f"{RULES}retry_after_unknown: true\n")

    async def quorum(self, number: int) -> None:
        await self.vault.change(quorum=number % 3 + 1)

    async def wait(self, number: int) -> None:
        self.vault.clock.advance((1, 299, 301, 86_400)[number % 4])

    async def work(self, number: int) -> None:
        await self.vault.do_what_is_due()

    async def checkpoint(self, number: int) -> None:
        await self.vault.checkpoint()

    async def break_commit(self, number: int) -> None:
        self.vault.commit.fail((Fault.LOST, Fault.STORED)[number % 2])

    async def break_swap(self, number: int) -> None:
        self.vault.cells.next = (Fault.LOST, Fault.STORED)[number % 2]

    async def reopen(self, number: int) -> None:
        self.vault.reopen()

    async def reviewer(self, number: int) -> Any:
        name = f"reviewer {number % 3}"
        known = {key.name: key for key in self.vault.core.store.tenant(self.vault.owner.tenant_id).keys}
        return known.get(name) or await self.vault.key(Preset.REVIEWER, name)


ACTS: list[Callable[[Story, int], Awaitable[None]]] = [
    act for name, act in vars(Story).items() if asyncio.iscoroutinefunction(act) and name != "reviewer"
]
stories = st.lists(st.tuples(st.sampled_from(ACTS), st.integers(0, 11)), min_size=10, max_size=30)


@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(acts=stories)
def test_every_story_keeps_every_promise(template: Template, acts: list[tuple[Any, int]]) -> None:
    with template.copy() as vault:
        asyncio.run(tell(Story(vault), acts))
        check_invariants(vault)
        vault.reopen()
        check_invariants(vault, by_own_check=True)


async def tell(story: Story, acts: list[tuple[Any, int]]) -> None:
    await story.ask(0)
    for act, number in acts:
        with contextlib.suppress(CallerError, Unavailable):
            await act(story, number)
