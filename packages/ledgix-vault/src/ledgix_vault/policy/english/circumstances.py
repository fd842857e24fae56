"""Sentences with a circumstance: exceptions, conditions, times, agents, and two limits joined by "and".

The circumstance is understood as a whole, or the sentence isn't. A rule with an exception fires where its limit is
broken and the exception doesn't hold; where nobody can tell whether it holds, a person decides.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Final, TypeAlias

from ledgix_vault.policy.cel.parse import quote
from ledgix_vault.policy.conditions import Condition
from ledgix_vault.policy.english import limits, members
from ledgix_vault.policy.english import phrases as p
from ledgix_vault.policy.english.fields import action_of, without_determiner
from ledgix_vault.policy.english.moments import Moment, moment_in, older_than
from ledgix_vault.policy.english.quantities import parse_quantity
from ledgix_vault.policy.english.rules import Setting, measured_by, subject_of
from ledgix_vault.policy.english.text import value_of
from ledgix_vault.policy.model import Effect, Rule

Plain: TypeAlias = Callable[[str, Setting], "list[Rule] | None"]

_FLAGS: Final = re.IGNORECASE | re.ASCII
_FIELD: Final = r"(?P<field>[A-Za-z_`][A-Za-z0-9_.` -]*?)"
_AFTER: Final = re.compile(r",? (unless|except when|except if|except for|except|if|when) ", _FLAGS)
_BEFORE: Final = re.compile(r"(?:If|When) (?P<condition>[^,]+), (?P<main>.+)", _FLAGS)
_ONLY: Final = re.compile(
    rf"(?P<subject>[A-Za-z ]+?) (?:(?:is|are) (?P<a>only )?{p.FINE}|(?:may|can|must) (?P<b>only )?be (?:made|issued"
    rf"|requested|processed|approved))(?P<c> only)? (?P<when>.+)",
    _FLAGS,
)
_NOT_WHEN: Final = re.compile(
    rf"(?P<subject>[A-Za-z ]+?) (?P<when>(?:on|at|after|before|between|more than|later than) .+?)"
    rf" (?:(?P<review>{p.IS_REVIEWED})|{p.IS_DENIED})",
    _FLAGS,
)
_TIME: Final = re.compile(r" (?=(?:on|at|after|before|between|more than|later than|within) )", _FLAGS)
_AGED: Final = re.compile(rf"{_FIELD} {p.MUST_NOT} be (?:older|more) than (?P<age>[0-9]+ [a-z]+?)(?: old)?", _FLAGS)
_AGENT: Final = re.compile(
    r"(?:the )?agent (?P<agent>\"[^\"]+\"|`[^`]+`|[A-Za-z0-9][A-Za-z0-9_.:-]*)"
    rf" (?:{p.MUST_NOT}) (?P<rest>.+)",
    _FLAGS,
)
_ONLY_AGENT: Final = re.compile(
    r"only (?:the )?agent (?P<agent>\"[^\"]+\"|`[^`]+`|[A-Za-z0-9][A-Za-z0-9_.:-]*)"
    rf" (?:may|can) {p.DO} (?P<subject>[A-Za-z ]+)",
    _FLAGS,
)
_OPENING: Final = re.compile(rf"(?P<subject>[A-Za-z_` ]+?) (?={p.MUST_NOT}|{p.MUST}) ?.+", _FLAGS)

_AMOUNT: Final = re.compile(
    rf"(?P<subject>[A-Za-z_`][A-Za-z0-9_.` -]*?) (?:(?:is|are) (?:(?P<over>{p.OVER})|(?P<at_least>{p.AT_LEAST})"
    rf"|(?P<under>{p.UNDER})|(?P<at_most>{p.AT_MOST}))|(?P<exceeds>exceeds?)) (?P<quantity>\S.*)",
    _FLAGS,
)
_VALUE: Final = re.compile(rf"{_FIELD} (?:is|equals)(?P<either> one of)?(?P<no> not)? (?P<values>\S.*)", _FLAGS)
_NAMED: Final = re.compile(rf"{_FIELD} (?P<value>\S+)", _FLAGS)
_IS_AGENT: Final = re.compile(r"(?:the )?agent(?: is)? (?P<agent>\S+)", _FLAGS)


def understand(clause: str, setting: Setting, plain: Plain) -> Iterator[list[Rule]]:
    """Every reading of `clause` as a sentence with a circumstance; `plain` reads the sentence without it."""
    for reading in (_conditional, _timed, _only, _by_agent, _too_old, _joined):
        yield from (rules for rules in reading(clause, setting, plain) if rules)


def _conditional(clause: str, setting: Setting, plain: Plain) -> Iterator[list[Rule]]:
    """ "… unless the amount is at most 50 USD", "… if the currency is EUR", "If …, …"."""
    cuts = [(clause[: cut.start()], cut[1].lower(), clause[cut.end() :]) for cut in _AFTER.finditer(clause)]
    if before := _BEFORE.fullmatch(clause):
        cuts.append((before["main"], "if", before["condition"]))
    for main, word, rest in cuts:
        is_exception = word not in ("if", "when")
        rules = _limits_only(plain(main, setting))
        found = _exempt(rest, setting) if word in ("except for", "except") else None
        found = found or _conjunction(rest, setting, widens=not is_exception)
        if rules and found:
            condition, assumptions = found
            yield _narrowed(rules, f"!({condition})" if is_exception else condition, assumptions)


Found: TypeAlias = "tuple[str, tuple[str, ...]] | None"


def _conjunction(text: str, setting: Setting, *, widens: bool) -> Found:
    """One condition, or several joined by "and"."""
    whole = _condition(text, setting, widens=widens)
    parts = text.split(" and ")
    if whole or len(parts) == 1:
        return whole
    found = [_condition(part, setting, widens=widens) for part in parts]
    known = [each for each in found if each]
    if len(known) != len(parts):
        return None
    return " && ".join(f"({text})" for text, _ in known), tuple(a for _, more in known for a in more)


def _condition(text: str, setting: Setting, *, widens: bool) -> Found:
    """The condition that `text` states. `widens` where it makes a restriction apply: then letters of any case count,
    while an exemption is for the very value that is written."""
    readings = [*_conditions(text.strip(), setting, widens=widens)]
    return readings[0] if len({condition for condition, _ in readings}) == 1 else None


def _conditions(text: str, setting: Setting, *, widens: bool) -> Iterator[tuple[str, tuple[str, ...]]]:
    if (found := _AMOUNT.fullmatch(text)) and (amount := _amount(found, setting)):
        yield amount
    if (found := _VALUE.fullmatch(text)) and (value := _value(found, setting, widens=widens)):
        yield value
    if (found := _IS_AGENT.fullmatch(text)) and (name := _agent(found["agent"])):
        yield f"agent_id == {quote(name)}", ()
    moment = moment_in(text.removeprefix("it is "), setting)
    if moment and not moment.before:
        yield moment.condition, moment.assumptions


def _amount(found: re.Match[str], setting: Setting) -> Found:
    subject, quantity = subject_of(found["subject"], setting), parse_quantity(found["quantity"])
    measured = measured_by(subject, quantity) if subject and quantity and not subject.may_count else None
    if not subject or not quantity or measured is None:
        return None
    signs = {"over": ">", "exceeds": ">", "at_least": ">=", "under": "<", "at_most": "<="}
    sign = next(sign for name, sign in signs.items() if found[name])
    edge = "counts" if sign in ("<=", ">=") else "does not count"
    assumptions = [f"{subject.field.label} is what the condition looks at", f"exactly {quantity} {edge} for it"]
    if quantity.from_symbol and quantity.currency:
        assumptions.append(f"the currency is {quantity.currency}")
    return f"{measured} {sign} {quantity.digits}", tuple(assumptions)


def _value(found: re.Match[str], setting: Setting, *, widens: bool) -> Found:
    reach = setting.reach(None)
    field = setting.field(without_determiner(found["field"]), reach) if reach else None
    if not field:
        return None
    text, negated = found["values"], bool(found["no"])
    if text in ("true", "false"):
        condition = f"{field.expression} == {text}" if members.may_be_bool(field) else None
        return (f"!({condition})" if negated else condition, ()) if condition else None
    if negated and (" or " in text or " and " in text or "," in text):
        return None
    loose = field.path[-1] == "currency" or (widens is not negated)
    member = members.membership(text, "or|and" if found["either"] else "or", field, loose=loose)
    if member is None:
        return None
    assumption = "upper and lower case are the same" if loose else "values are compared as written"
    return f"!({member})" if negated else member, (f"{field.label} is what the condition looks at", assumption)


def _exempt(text: str, setting: Setting) -> Found:
    """ "except for order id A1"."""
    found, reach = _NAMED.fullmatch(text), setting.reach(None)
    field = setting.field(without_determiner(found["field"]), reach) if found and reach else None
    if not found or not field or not field.names_somebody:
        return None
    member = members.membership(found["value"], "or", field, loose=False)
    names = (f"{field.label} is what the exception looks at", "values are compared as written")
    return (member, names) if member else None


def _timed(clause: str, setting: Setting, plain: Plain) -> Iterator[list[Rule]]:
    """ "Refunds over $100 need review at weekends", "Refunds on Sundays are denied", "No refunds after 2026-01-31"."""
    for cut in _TIME.finditer(clause):
        rules = _limits_only(plain(clause[: cut.start()], setting))
        moment = moment_in(clause[cut.end() :], setting)
        if rules and moment and not moment.is_within:
            yield _narrowed(rules, moment.condition, moment.assumptions)
    if (found := _NOT_WHEN.fullmatch(clause)) and (moment := moment_in(found["when"], setting)):
        outcome = "need review" if found["review"] else "are denied"
        rules = _limits_only(plain(f"{found['subject']} {outcome}", setting))
        if rules and not moment.is_within:
            yield _narrowed(rules, moment.condition, moment.assumptions)


def _only(clause: str, setting: Setting, plain: Plain) -> Iterator[list[Rule]]:
    """ "Refunds are only allowed on weekdays", "Refunds must be requested within 30 days of …"."""
    found = _ONLY.fullmatch(clause)
    if not found:
        return
    only = [found[name] for name in "abc" if found[name]]
    when = found["when"]
    is_demand = " must " in f" {clause.lower()} " and when.lower().startswith("within ")
    if len(only) != 1 and not (is_demand and not only):
        return
    action = action_of(found["subject"])
    reach = setting.reach(action) if action else None
    if not reach:
        return
    if (moment := moment_in(when, setting)) and (not moment.before or moment.is_within):
        yield _outside(moment, setting, reach.tools)
    elif condition := _ONLY_IF.fullmatch(when):
        found_condition = _conjunction(condition[1], setting, widens=False)
        if found_condition:
            yield [setting.rule(Effect.DENY, reach, [f"!({found_condition[0]})"], found_condition[1])]


_ONLY_IF: Final = re.compile(r"(?:if|when) (.+)", _FLAGS)


def _outside(moment: Moment, setting: Setting, tools: Sequence[str]) -> list[Rule]:
    parse = Condition.parse
    late = parse(moment.condition.replace(" <= ", " > ") if moment.is_within else f"!({moment.condition})")
    rules = [Rule("", Effect.DENY, tuple(tools), (late,), setting.sentence, moment.assumptions)]
    if moment.before:
        early = ("a start in the future goes to a person",)
        rules.append(Rule("", Effect.REVIEW, tuple(tools), (parse(moment.before),), setting.sentence, early))
    return rules


def _too_old(clause: str, setting: Setting, plain: Plain) -> Iterator[list[Rule]]:
    """ "`facts.quoted_at` must not be older than 24 hours"."""
    found, reach = _AGED.fullmatch(clause), setting.reach(None)
    field = setting.field(without_determiner(found["field"]), reach) if found and reach else None
    moment = older_than(field, found["age"]) if found and field else None
    if moment:
        within = replace(moment, condition=moment.condition.replace(" > ", " <= "), is_within=True)
        yield _outside(within, setting, ())


def _by_agent(clause: str, setting: Setting, plain: Plain) -> Iterator[list[Rule]]:
    """ "The agent support-bot may not issue refunds over $100", "Only the agent support-bot may issue refunds"."""
    if (found := _ONLY_AGENT.fullmatch(clause)) and (name := _agent(found["agent"])):
        action = action_of(found["subject"])
        if action and (reach := setting.reach(action)):
            yield [setting.rule(Effect.DENY, reach, [f"!(agent_id == {quote(name)})"], [_AS_WRITTEN])]
    if (found := _AGENT.fullmatch(clause)) and (name := _agent(found["agent"])):
        rest = found["rest"]
        whole = re.fullmatch(rf"{p.DO} (?P<subject>[A-Za-z ]+)", rest, _FLAGS)
        main = f"No {whole['subject']}" if whole else f"Never {rest}"
        if rules := _limits_only(plain(main, setting)):
            yield _narrowed(rules, f"agent_id == {quote(name)}", (_AS_WRITTEN,))


_AS_WRITTEN: Final = "the agent's name is compared as written"


def _agent(word: str) -> str | None:
    """A name, not a description: in quotes, or with a digit or punctuation in it."""
    if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.:-]*[A-Za-z0-9]", word, re.ASCII) and re.search(r"[-0-9_.:]", word):
        return word
    return value_of(word) if word[:1] in ('"', "`") else None


def _joined(clause: str, setting: Setting, plain: Plain) -> Iterator[list[Rule]]:
    """ "Refunds must not exceed $100 and must be in USD": two sentences in one."""
    cuts = [*re.finditer(r",? and ", clause)]
    for cut in cuts:
        first, second = clause[: cut.start()], clause[cut.end() :]
        opening = _OPENING.fullmatch(first)
        if opening and re.match(rf"{p.MUST_NOT}|{p.MUST}", second, _FLAGS):
            second = f"{opening['subject']} {second}"
        one, two = _limits_only(plain(first, setting)), _limits_only(plain(second, setting))
        if one and two:
            yield [*one, *two]


def _limits_only(rules: list[Rule] | None) -> list[Rule] | None:
    """An approval under a condition says nothing about the calls beyond it: it isn't understood."""
    return None if rules is None or any(rule.effect is Effect.APPROVE for rule in rules) else rules


def _narrowed(rules: Sequence[Rule], condition: str, assumptions: Sequence[str]) -> list[Rule]:
    further = Condition.parse(condition)
    return [
        replace(rule, when=(*rule.when, further), assumptions=tuple(dict.fromkeys((*rule.assumptions, *assumptions))))
        for rule in rules
    ]


def simple(clause: str, setting: Setting) -> list[Rule] | None:
    """What a clause without a circumstance says, if all readings that fit say the same."""
    return agreed([*limits.understand(clause, setting), *members.understand(clause, setting)])


def agreed(readings: Sequence[list[Rule]]) -> list[Rule] | None:
    """The one meaning of several readings; None where they differ, or where there is none."""
    if not readings or any(_meaning(reading) != _meaning(readings[0]) for reading in readings[1:]):
        return None
    return readings[0]


def _meaning(rules: Sequence[Rule]) -> list[tuple[object, ...]]:
    return [(rule.effect, rule.tools, tuple(condition.text for condition in rule.when)) for rule in rules]
