"""What a form of sentence becomes: rules without an id yet, each with its sentence and what was assumed in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ledgix_vault.policy.cel.types import Kind
from ledgix_vault.policy.conditions import Condition
from ledgix_vault.policy.english.facts import Fact, fact_in
from ledgix_vault.policy.english.fields import (
    COUNTED,
    Field,
    Reach,
    action_of,
    amount_in,
    field_in,
    reach_of,
    without_determiner,
)
from ledgix_vault.policy.english.quantities import Quantity
from ledgix_vault.policy.model import Effect, Rule
from ledgix_vault.policy.money import Unit
from ledgix_vault.policy.schemas import ToolSchema


@dataclass(frozen=True, slots=True)
class Setting:
    """What a sentence is read against: the policy's tools and the registered schemas. `sentence` is quoted as is."""

    sentence: str
    tools: Sequence[str]
    schemas: Mapping[str, ToolSchema]
    facts: Mapping[str, Fact] = field(default_factory=dict)

    def reach(self, action: str | None) -> Reach | None:
        return reach_of(action, self.tools, self.schemas)

    def field(self, phrase: str, reach: Reach) -> Field | None:
        """The argument or the fact that `phrase` names; None too where it could be either."""
        found = [field_in(phrase, reach), fact_in(phrase, self.facts)]
        named = [each for each in found if each is not None]
        return named[0] if len(named) == 1 else None

    def rule(self, effect: Effect, reach: Reach, when: Sequence[str], assumptions: Sequence[str] = ()) -> Rule:
        conditions = tuple(Condition.parse(text) for text in when)
        return Rule("", effect, reach.tools, conditions, self.sentence, tuple(assumptions))


@dataclass(frozen=True, slots=True)
class Subject:
    """What a limit is about: an argument, and for money that it is an amount. `action` is "" when none is named."""

    field: Field
    reach: Reach
    is_amount: bool
    action: str
    may_count: bool  # "refunds", "amount of refunds": without a currency a number could count them


def subject_of(phrase: str, setting: Setting) -> Subject | None:
    """What "refunds", "the refund amount", "amounts" or "the quantity" limits."""
    name = without_determiner(phrase)
    bare, amount = action_of(phrase), _amount_phrase(name)
    if bare is None and amount is None:
        reach = setting.reach(None)
        found = setting.field(name, reach) if reach else None
        return Subject(found, reach, False, "", False) if reach and found else None
    action = bare if bare is not None else amount or ""
    reach = setting.reach(action or None)
    found = amount_in(reach) if reach else None
    counts = bare is not None or " of " in name
    return Subject(found, reach, True, action, counts) if reach and found else None


def _amount_phrase(name: str) -> str | None:
    """The action of "refund amount" or "amount of a refund", "" for "amount", None for anything else."""
    words = name.lower()
    if words in ("amount", "amounts"):
        return ""
    for ending in (" amount", " amounts"):
        if words.endswith(ending):
            return action_of(words.removesuffix(ending))
    for beginning in ("amount of ", "amounts of "):
        if words.startswith(beginning):
            return action_of(words.removeprefix(beginning))
    return None


def limit(effect: Effect, subject: Subject, sign: str, quantity: Quantity, setting: Setting) -> list[Rule] | None:
    """`effect` when the subject is `sign` (>, >=, <, <=) the quantity."""
    measured = measured_by(subject, quantity)
    if measured is None:
        return None
    edge = "is" if sign in (">=", "<=") else "is not"
    assumptions = [f"{subject.field.label} is what the sentence limits"]
    assumptions.append(f"exactly {quantity} {edge} {_CONSEQUENCE[effect]}")
    if quantity.from_symbol and quantity.currency:
        assumptions.append(f"the currency is {quantity.currency}")
    rules = [setting.rule(effect, subject.reach, [f"{measured} {sign} {quantity.digits}"], assumptions)]
    if not measured.startswith(("money(", "facts")) and sign in (">", ">="):
        negative = f"{measured} < 0"
        rules.append(setting.rule(Effect.REVIEW, subject.reach, [negative], ["a negative value goes to a person"]))
    return rules


_CONSEQUENCE = {Effect.DENY: "denied", Effect.REVIEW: "sent to review", Effect.APPROVE: "approved"}


def between(subject: Subject, low: Quantity, high: Quantity, setting: Setting) -> list[Rule] | None:
    """Deny outside both limits; the limits themselves are inside."""
    if low.currency != high.currency or low.value > high.value:
        return None
    below, above = (limit(Effect.DENY, subject, sign, q, setting) for sign, q in (("<", low), (">", high)))
    return [*below, *above] if below is not None and above is not None else None


def measured_by(subject: Subject, quantity: Quantity) -> str | None:
    """The expression to compare, None where the unit or the currency would be a guess."""
    field = subject.field
    if field.root == "facts":
        return field.expression if field.kind in (Kind.NUMBER, Kind.ANY) and not quantity.currency else None
    if field.kind not in (Kind.NUMBER, Kind.ANY) or (quantity.currency and field.path[-1] in COUNTED):
        return None
    declared = [schema.money.get(field.path) for schema in subject.reach.schemas]
    if quantity.currency:
        others = {money.currency for money in declared if money and money.currency} - {quantity.currency}
        return None if others else f'money({field.expression}, "{quantity.currency}")'
    if subject.may_count or any(money and money.unit is Unit.MINOR for money in declared):
        return None
    return f"money({field.expression})" if subject.is_amount or any(declared) else field.expression
