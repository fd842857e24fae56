"""Whatever is done in whatever order, the limits answer like a model that a reader can follow in his head."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from vault_testing.faults import Fault
from vault_testing.house import Answer, House, Template
from vault_testing.invariants import check_invariants

from ledgix_vault.clearance.reports import Reported
from ledgix_vault.errors import CallerError, Unavailable
from ledgix_vault.operations.read_limits import read_limits
from ledgix_vault.tenancy.scopes import Preset
from ledgix_vault.times import MICROSECONDS

MOST, HOUR, REVIEW_SECONDS = 10, 3600, 1800
LIMITS = f"""
rules:
  - {{id: small, effect: approve, tools: [stripe_refund], when: [args.amount <= 4]}}
  - {{id: large, effect: review, tools: [stripe_refund], when: [args.amount > 4]}}
limits:
  - {{id: budget, sum: args.amount, per: [agent_id], window: 1h, max: {MOST}}}
"""


@dataclass
class Kept:
    """One reservation of the model; `lapses_at` is None once it is spent."""

    asked: Answer
    agent: str
    amount: int
    at: int
    lapses_at: int | None
    approved: bool


@dataclass
class Model:
    """The Vault, and what must count against each agent's budget."""

    vault: House
    kept: list[Kept] = field(default_factory=list)
    asked: int = 0

    @property
    def now(self) -> int:
        return self.vault.clock.now

    def used(self, agent: str) -> int:
        return sum(each.amount for each in self.kept if each.agent == agent and self._counts(each))

    def _counts(self, each: Kept) -> bool:
        return each.at > self.now - HOUR * MICROSECONDS and (each.lapses_at is None or self.now < each.lapses_at)

    async def ask(self, number: int) -> None:
        agent, amount = "ab"[number % 2], number % 7 + 1
        fits = self.used(agent) + amount <= MOST
        self.asked += 1
        try:
            answer = await self.vault.ask(amount, agent_id=agent, key=f"ask {self.asked}")
        except Unavailable:
            return  # lost: nothing was taken
        assert answer["status"] == ("denied" if not fits else "approved" if amount <= 4 else "pending_review")
        if fits:
            lapses_at = None if amount <= 4 else self.now + REVIEW_SECONDS * MICROSECONDS
            self.kept.append(Kept(answer, agent, amount, self.now, lapses_at, amount <= 4))

    async def approve(self, number: int) -> None:
        each = self.one(number)
        if each is None or each.approved:
            return
        ends = each.lapses_at
        answer = await self.vault.approve(each.asked, by=await self.reviewer())
        assert answer["outcome"] == "approved"
        assert ends is not None
        assert self.now < ends
        each.at, each.lapses_at, each.approved = self.now, self.now + REVIEW_SECONDS * MICROSECONDS, True

    async def deny(self, number: int) -> None:
        if (each := self.one(number)) is not None and not each.approved:
            await self.vault.deny(each.asked, by=await self.reviewer())
            self.kept.remove(each)

    async def cancel(self, number: int) -> None:
        if (each := self.one(number)) is not None:
            await self.vault.deny(each.asked)
            if each.lapses_at is not None:
                self.kept.remove(each)

    async def poll(self, number: int) -> None:
        if (each := self.one(number)) is not None:
            answer = await self.vault.poll(each.asked)
            if answer["status"] == "approved" and each.lapses_at is not None:
                each.lapses_at = None

    async def refuse(self, number: int) -> None:
        if (each := self.one(number)) is not None and each.lapses_at is None:
            await self.vault.report(each.asked, Reported.REFUSED)
            self.kept.remove(each)

    async def wait(self, number: int) -> None:
        self.vault.clock.advance((1, 299, REVIEW_SECONDS, HOUR // 2, HOUR)[number % 5])

    async def work(self, number: int) -> None:
        await self.vault.do_what_is_due()

    async def reopen(self, number: int) -> None:
        self.vault.reopen()

    async def break_commit(self, number: int) -> None:
        """The next question meets a commit that fails; its key tells whether it was stored."""
        self.vault.commit.fail((Fault.LOST, Fault.STORED)[number % 2])
        await self.ask(number)

    def one(self, number: int) -> Kept | None:
        return self.kept[number % len(self.kept)] if self.kept else None

    async def reviewer(self) -> Any:
        known = {key.name: key for key in self.vault.core.store.tenant(self.vault.owner.tenant_id).keys}
        return known.get("reviewer") or await self.vault.key(Preset.REVIEWER, "reviewer")

    async def compare(self) -> None:
        (limit,) = await read_limits(self.vault.core, self.vault.owner, keys=10)
        budgets: Any = limit["budgets"]
        shown = {budget["per"]["agent_id"]: int(budget["used"]) for budget in budgets}
        for agent in "ab":
            assert shown.get(agent, 0) == self.used(agent) <= MOST


ACTS = [
    Model.ask,
    Model.ask,
    Model.approve,
    Model.deny,
    Model.cancel,
    Model.poll,
    Model.refuse,
    Model.wait,
    Model.work,
    Model.reopen,
    Model.break_commit,
]
stories = st.lists(st.tuples(st.sampled_from(ACTS), st.integers(0, 30)), min_size=10, max_size=30)


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(acts=stories)
def test_the_limits_do_what_the_model_does(template: Template, acts: list[tuple[Any, int]]) -> None:
    with template.copy() as vault:
        asyncio.run(tell(Model(vault), acts))
        check_invariants(vault, by_own_check=vault.is_sqlite)


async def tell(model: Model, acts: list[tuple[Any, int]]) -> None:
    await model.vault.register(definition=LIMITS)
    await model.vault.change(review_expiry_seconds=REVIEW_SECONDS)
    for act, number in acts:
        with contextlib.suppress(CallerError):
            await act(model, number)
        await model.compare()
