"""Sentences about which arguments and values: "currency must be USD or EUR", "an order id is required",
"never refund to account acct_666", "refunds need review"."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Final, TypeAlias

from ledgix_vault.policy.cel.parse import quote
from ledgix_vault.policy.cel.types import Kind
from ledgix_vault.policy.english import phrases as p
from ledgix_vault.policy.english.fields import (
    ACTIONS,
    ANY_ACTION,
    VERBS,
    Field,
    Reach,
    action_of,
    expression,
    field_in,
    without_determiner,
)
from ledgix_vault.policy.english.rules import Setting
from ledgix_vault.policy.english.text import listed, value_of
from ledgix_vault.policy.model import Effect, Rule
from ledgix_vault.policy.money import MINOR_DIGITS

Understood: TypeAlias = "list[Rule] | None"
Match: TypeAlias = re.Match[str]

ACCOUNT_FIELDS: Final = (
    *("account", "account_id", "destination", "destination_account", "destination_account_id"),
    *("recipient", "recipient_account", "to_account"),
)
"""Arguments that "to account …" can mean; a call that has none of them goes to a person."""

_F: Final = r"(?P<field>[A-Za-z_`][A-Za-z0-9_.` -]*?)"
_ACTION: Final = rf"(?:(?:all|any|every|each|an?|the) )?(?:{'|'.join([*ACTIONS, *ANY_ACTION])})s?"
_S: Final = rf"(?P<subject>{_ACTION})"


def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(text, re.IGNORECASE | re.ASCII)


def understand(clause: str, setting: Setting) -> Iterator[list[Rule]]:
    """Every reading of `clause` as a sentence about arguments."""
    for pattern, form in _FORMS:
        if (found := pattern.fullmatch(clause)) and (rules := form(found, setting)):
            yield rules


def _reach(found: Match, setting: Setting) -> Reach | None:
    subject = found.groupdict().get("subject")
    return setting.reach(action_of(subject) if subject else None)


def _field(found: Match, reach: Reach | None, setting: Setting) -> Field | None:
    return setting.field(without_determiner(found["field"]), reach) if reach else None


def _one_of(found: Match, setting: Setting) -> Understood:
    """ "currency must be USD or EUR": deny anything else."""
    reach = _reach(found, setting)
    field = _field(found, reach, setting)
    last = "or|and" if found.groupdict().get("either") else "or"
    return _values(found["values"], last, field, reach, setting, forbidden=False)


def _in_currency(found: Match, setting: Setting) -> Understood:
    """ "Refunds must be in USD or EUR"."""
    reach = _reach(found, setting)
    field = field_in("currency", reach) if reach else None
    return _values(found["values"], "or", field, reach, setting, forbidden=False)


def _currencies(found: Match, setting: Setting) -> Understood:
    """ "The only allowed currencies are USD and EUR"."""
    reach = setting.reach(None)
    field = field_in("currency", reach) if reach else None
    return _values(found["values"], "or|and", field, reach, setting, forbidden=False)


def _none_of(found: Match, setting: Setting) -> Understood:
    """ "currency must not be GBP": deny these."""
    reach = _reach(found, setting)
    return _values(found["values"], "or", _field(found, reach, setting), reach, setting, forbidden=True)


def membership(text: str, last: str, field: Field, *, loose: bool) -> str | None:
    """`args.currency.lowerAscii() in ["usd"]`: the condition that the field has one of the values in `text`."""
    items = listed(text, last=last)
    if not items or field.kind not in (Kind.STRING, Kind.ANY):
        return None
    values = [_value(item, field) for item in items]
    named = [value for value in values if value is not None]
    if len(named) != len(items) or len(set(named)) != len(named):
        return None
    if field.path[-1] == "currency" and not all(value.upper() in MINOR_DIGITS for value in named):
        return None
    subject = f"{field.expression}.lowerAscii()" if loose else field.expression
    return f"{subject} in [{', '.join(quote(value.lower() if loose else value) for value in named)}]"


def _values(
    text: str, last: str, field: Field | None, reach: Reach | None, setting: Setting, *, forbidden: bool
) -> Understood:
    if not field or not reach:
        return None
    # What is forbidden is forbidden in any case of letters; what is allowed is allowed as written, but for currencies.
    loose = forbidden or field.path[-1] == "currency"
    condition = membership(text, last, field, loose=loose)
    if condition is None:
        return None
    written = condition if forbidden else f"!({condition})"
    assumption = "upper and lower case are the same" if loose else "values are compared as written"
    return [setting.rule(Effect.DENY, reach, [written], [f"{field.label} is what is compared", assumption])]


_DISPUTED: Final = frozenset(("country", "region"))
"""One place has several codes (US, USA; GB, UK), so only a declared enum makes a list of them exact."""


def _value(item: str, field: Field) -> str | None:
    if not field.allowed:
        value = None if field.path[-1] in _DISPUTED else value_of(item)
        is_description = value == item and item.isalpha() and len(item) > 1 and field.names_somebody
        return None if is_description else value
    plain = item.strip("\"'`")
    same = [value for value in field.allowed if value.lower() == plain.lower()]
    return same[0] if len(same) == 1 else None


def _required(found: Match, setting: Setting) -> Understood:
    """ "an order id is required": deny when it is missing or blank. Only where every tool is known to have the
    argument: one named tool, or tools with schemas."""
    reach = _reach(found, setting)
    if not reach or not (reach.is_closed or reach.is_single):
        return None
    return _about_presence(found, reach, setting, lambda field: [f"!({_any_given(field)})"])


def _excluded(found: Match, setting: Setting) -> Understood:
    """ "refunds must not include a memo": deny when there is one."""
    reach = _reach(found, setting)
    return _about_presence(found, reach, setting, lambda field: [_any_given(field)]) if reach else None


def _about_presence(
    found: Match, reach: Reach, setting: Setting, condition: Callable[[Field], Sequence[str]]
) -> Understood:
    phrases = listed(found["field"], last="and")
    fields = [setting.field(without_determiner(phrase), reach) for phrase in phrases or ()]
    rules: list[Rule] = []
    for field in fields:
        if field is None:
            return None
        assumption = _name_of(field)
        rules.append(setting.rule(Effect.DENY, reach, condition(field), [assumption]))
    return rules


def _name_of(field: Field) -> str:
    if field.root == "facts":
        return f"the fact is called {field.label}"
    return f"the argument is called {' or '.join('.'.join(path) for path in (field.path, *field.spellings))}"


def _any_given(field: Field) -> str:
    return " || ".join(f"given({expression(path, field.root)})" for path in (field.path, *field.spellings))


def _true_or_false(found: Match, setting: Setting) -> Understood:
    """ "facts.is_verified must be true": deny when it isn't."""
    reach = setting.reach(None)
    field = _field(found, reach, setting)
    if not reach or not field or not may_be_bool(field):
        return None
    return [setting.rule(Effect.DENY, reach, [f"!({field.expression} == {found['truth'].lower()})"])]


def may_be_bool(field: Field) -> bool:
    """Whether it can be true or false: declared so, or a fact that nobody declared."""
    return field.kind is Kind.BOOL or (field.kind is Kind.ANY and field.root == "facts")


def _always(found: Match, setting: Setting) -> Understood:
    """ "Refunds need review", "Refunds are not allowed": whatever the arguments are."""
    reach = _reach(found, setting)
    effect = Effect.REVIEW if found.groupdict().get("review") else Effect.DENY
    return [setting.rule(effect, reach, [])] if reach else None


def _never_to_account(found: Match, setting: Setting) -> Understood:
    """ "Never refund to account acct_666"."""
    return _to_account(found, VERBS[found["verb"].lower()], Effect.DENY, setting)


def _account_outcome(found: Match, setting: Setting) -> Understood:
    """ "Refunds to account acct_666 are not allowed"."""
    effect = Effect.REVIEW if found["review"] else Effect.DENY
    return _to_account(found, action_of(found["subject"]), effect, setting)


def _to_account(found: Match, action: str | None, effect: Effect, setting: Setting) -> Understood:
    reach, value = setting.reach(action), _account(found["value"])
    names = _account_arguments(reach) if reach else []
    if not reach or value is None or not names:
        return None
    wanted = quote(value.lower())
    hits = [f"has(args.{name}) && args.{name}.lowerAscii() == {wanted}" for name in names]
    hits.append(f"has(destination.account_ref) && destination.account_ref.lowerAscii() == {wanted}")
    nowhere = " && ".join(f"!has(args.{name})" for name in names)
    assumptions = [f"the account is one of {', '.join(names)}", "upper and lower case are the same"]
    return [
        setting.rule(effect, reach, [" || ".join(hits)], assumptions),
        setting.rule(Effect.REVIEW, reach, [nowhere], ["a call that names no account goes to a person"]),
    ]


def _account(word: str) -> str | None:
    """An account that is named, not described ("VIP"); a single letter stands for a name."""
    return None if word.isalpha() and len(word) > 1 else value_of(word)


def _account_arguments(reach: Reach) -> list[str]:
    """The account arguments that the tools in reach declare, if they agree; the usual ones for tools without schema."""
    if not reach.schemas:
        return list(ACCOUNT_FIELDS)
    declared = [[name for name in ACCOUNT_FIELDS if name in (s.args.fields or {})] for s in reach.schemas]
    kinds = {
        (s.args.fields or {})[name].kind for s, names in zip(reach.schemas, declared, strict=True) for name in names
    }
    agree = reach.is_closed and all(names == declared[0] for names in declared) and kinds <= {Kind.STRING}
    return declared[0] if agree else []


_VALUES: Final = r"(?P<values>\S.*)"
_ACCOUNT: Final = r"(?:to |into )?(?:the )?(?:destination )?account (?P<value>\S+)"
_FORMS: Final[tuple[tuple[re.Pattern[str], Callable[[Match, Setting], Understood]], ...]] = (
    (_pattern(rf"{_F} {p.MUST} (?:be|equal|be set to) {_VALUES}"), _one_of),
    (_pattern(rf"{_F} (?:may|can|must) only be {_VALUES}"), _one_of),
    (_pattern(rf"{_F} {p.MUST} be (?P<truth>true|false)"), _true_or_false),
    (
        _pattern(rf"{_S} (?:(?:may|can) only be (?:made|paid|issued)|(?:is|are) only {p.FINE}) in {_VALUES}"),
        _in_currency,
    ),
    (_pattern(rf"{_F} {p.MUST} be (?P<either>one of|any of|either|among)(?: the following)?:? {_VALUES}"), _one_of),
    (_pattern(rf"{_F} (?:is|are|must be) (?P<either>limited to|restricted to) {_VALUES}"), _one_of),
    (_pattern(rf"(?:The )?(?:only )?(?:allowed|permitted|accepted) currencies are {_VALUES}"), _currencies),
    (_pattern(rf"{_S} {p.MUST} be (?:made |paid |issued )?in {_VALUES}"), _in_currency),
    (_pattern(rf"{_F} {p.MUST_NOT} be (?:one of |any of |either )?{_VALUES}"), _none_of),
    (_pattern(rf"{_F} (?:is|are) (?:always )?(?:required|mandatory)(?: {p.EACH} {_S})?"), _required),
    (_pattern(rf"{_F} {p.MUST} be {p.IS_GIVEN}(?: {p.EACH} {_S})?"), _required),
    (_pattern(rf"{_F} {p.MUST_NOT} be {p.IS_BLANK}"), _required),
    (_pattern(rf"{_S} (?:{p.MUST} {p.CARRY}|must come with|needs?|requires?) {_F}"), _required),
    (_pattern(rf"(?:requires?|needs?|{p.MUST} {p.CARRY}) {_F}"), _required),
    (_pattern(rf"{_S} {p.MUST_NOT} {p.CARRY} {_F}"), _excluded),
    (_pattern(rf"(?:{p.MUST_NOT}|{p.NEVER}) {p.CARRY} {_F}"), _excluded),
    (_pattern(rf"{_F} (?:is|are) (?:(?:not|never) (?:allowed|permitted|accepted)|forbidden|prohibited)"), _excluded),
    (_pattern(rf"{_F} {p.MUST_NOT} be {p.IS_GIVEN}"), _excluded),
    (_pattern(rf"{_S} (?:(?P<review>{p.IS_REVIEWED})|{p.IS_DENIED})"), _always),
    (_pattern(rf"No {_S}(?: (?:is|are)(?: ever)? (?:allowed|permitted|accepted))?"), _always),
    (_pattern(rf"{p.NEVER} (?P<verb>{'|'.join(VERBS)}) (?:anything |money )?{_ACCOUNT}"), _never_to_account),
    (
        _pattern(rf"{_S} to (?:the )?account (?P<value>\S+) (?:(?P<review>{p.IS_REVIEWED})|{p.IS_DENIED})"),
        _account_outcome,
    ),
)
