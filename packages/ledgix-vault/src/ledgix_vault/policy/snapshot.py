"""All that decides at one moment: a tenant's active policies, tool schemas and default.

A snapshot never changes. It remembers which policies cover a tool, for a bounded number of tools, since the same few
tools are asked about all day; that memory is never visible in an answer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from operator import attrgetter
from typing import NamedTuple

from ledgix.formats import jcs
from ledgix.formats.json import Json
from ledgix_vault.policy.cel.operators import Test
from ledgix_vault.policy.conditions import is_momentary
from ledgix_vault.policy.globs import covers
from ledgix_vault.policy.model import Effect, PolicyDocument, Rule, settled_otherwise
from ledgix_vault.policy.money import Money, Path
from ledgix_vault.policy.parts import Destinations, Register
from ledgix_vault.policy.schemas import ToolSchema

MOST_REMEMBERED = 2048
"""Tools whose coverage is kept; past that the memory starts afresh, so unknown names can't fill the process."""

_UNDECLARED: Mapping[Path, Money] = {}
AMOUNT: tuple[Path, ...] = (("amount",),)


@dataclass(frozen=True, slots=True)
class ActivePolicy:
    """A policy version that is in force."""

    document: PolicyDocument
    version_id: str
    version: int


class PlannedRule(NamedTuple):
    """A rule that applies to the tool, ready to run."""

    rule: Rule
    tests: tuple[Test, ...]


class Plan(NamedTuple):
    """One policy against one tool."""

    policy: ActivePolicy
    rules: tuple[PlannedRule, ...]
    otherwise: Effect
    destinations: tuple[Destinations, ...] = ()
    registers: tuple[Register, ...] = ()


class Coverage(NamedTuple):
    """Everything that has a say about one tool, by policy id."""

    plans: tuple[Plan, ...]
    schema: ToolSchema | None
    money: Mapping[Path, Money]
    amounts: tuple[Path, ...]
    """Arguments that hold money: as declared, else `amount`."""
    needs_unit: bool
    """Whether something has a say that only the deciding transaction knows: the moment, the session's earlier calls."""
    limited: bool
    """Whether a policy has limits: how much is left of them, too, only that transaction knows."""


@dataclass(frozen=True, eq=False)
class Snapshot:
    """`number` grows with every change of the tenant's policies, schemas or default.

    `shadows` are evaluated beside the active versions and never enforced. They are no part of `hash`: it says what
    decided, and two decisions with one hash were made by the same; what a shadow would have said is recorded with the
    id and the content hash of its version.
    """

    number: int
    policies: Sequence[ActivePolicy]
    schemas: Mapping[str, ToolSchema]
    default: Effect
    shadows: Sequence[ActivePolicy] = ()
    _remembered: dict[str, Coverage] = field(default_factory=dict, init=False, repr=False)

    @cached_property
    def hash(self) -> str:
        """SHA-256 over all active versions, schemas and the default: 64 hex characters."""
        versions: list[Json] = [
            [policy.document.policy_id, policy.version_id, policy.document.content_hash] for policy in self._sorted
        ]
        schemas: list[Json] = [[name, self.schemas[name].content_hash] for name in sorted(self.schemas)]
        return jcs.sha256_hex({"v": 1, "policies": versions, "schemas": schemas, "default": str(self.default)})

    def coverage(self, tool_name: str) -> Coverage:
        """What has a say about `tool_name`."""
        found = self._remembered.get(tool_name)
        if found is None:
            found = self._cover(tool_name)
            if len(self._remembered) >= MOST_REMEMBERED:
                self._remembered.clear()
            self._remembered[tool_name] = found
        return found

    def policy(self, policy_id: str) -> ActivePolicy | None:
        """The active version of that policy."""
        return self._by_id.get(policy_id)

    @cached_property
    def alternatives(self) -> tuple[tuple[ActivePolicy, Snapshot], ...]:
        """Each shadow, and this snapshot with it in the place of the active version."""
        return tuple((shadow, self._with(shadow)) for shadow in self.shadows)

    def _with(self, version: ActivePolicy) -> Snapshot:
        policy_id = version.document.policy_id
        others = [policy for policy in self.policies if policy.document.policy_id != policy_id]
        return replace(self, policies=(*others, version), shadows=())

    @cached_property
    def _sorted(self) -> tuple[ActivePolicy, ...]:
        return tuple(sorted(self.policies, key=attrgetter("document.policy_id")))

    @cached_property
    def _by_id(self) -> Mapping[str, ActivePolicy]:
        return {policy.document.policy_id: policy for policy in self.policies}

    def _cover(self, tool_name: str) -> Coverage:
        schema = self.schemas.get(tool_name)
        money = schema.money if schema else _UNDECLARED
        plans = tuple(plan(p, tool_name) for p in self._sorted if covers(p.document.tools, tool_name))
        return Coverage(
            plans=plans,
            schema=schema,
            money=money,
            amounts=tuple(money) or AMOUNT,
            needs_unit=any(_is_momentary(each) for each in plans)
            or any(other.coverage(tool_name).needs_unit for _, other in self.alternatives),
            limited=any(each.policy.document.limits for each in plans),
        )


def _is_momentary(plan: Plan) -> bool:
    judge = plan.policy.document.judge
    if judge is not None and any(condition.is_momentary for condition in judge.when):
        return True
    conditions = [condition for planned in plan.rules for condition in planned.rule.when]
    limits = plan.policy.document.limits
    conditions += [condition for limit in limits for condition in limit.when]
    values = [value for limit in limits for value in (*limit.per, limit.sum) if value is not None]
    return any(condition.is_momentary for condition in conditions) or any(is_momentary(each.node) for each in values)


def plan(policy: ActivePolicy, tool_name: str) -> Plan:
    """What `policy` has to say about a call of `tool_name`, whether or not it covers it."""
    document = policy.document
    return Plan(
        policy=policy,
        rules=tuple(
            PlannedRule(rule, tuple(condition.test for condition in rule.when))
            for rule in document.rules
            if covers(rule.tools, tool_name)
        ),
        otherwise=settled_otherwise(document),
        destinations=tuple(each for each in document.destinations if covers(each.tools, tool_name)),
        registers=document.registers,
    )
