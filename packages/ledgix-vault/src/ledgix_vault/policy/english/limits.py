"""Sentences about how much: "Refunds must not exceed $100", "Amounts above 500 USD need review"."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Final, TypeAlias

from ledgix_vault.policy.cel.types import Kind
from ledgix_vault.policy.english import phrases as p
from ledgix_vault.policy.english.fields import ANY_ACTION, VERBS, action_of
from ledgix_vault.policy.english.quantities import Quantity, parse_quantity
from ledgix_vault.policy.english.rules import Setting, Subject, between, limit, subject_of
from ledgix_vault.policy.model import Effect, Rule

Understood: TypeAlias = "list[Rule] | None"
Match: TypeAlias = re.Match[str]

_S: Final = r"(?P<subject>[A-Za-z_`][A-Za-z0-9_.` -]*?)"
_Q: Final = r"(?P<quantity>\S.*?)"
_SIGNS: Final = {"over": ">", "at_least": ">=", "or_more": ">=", "under": "<", "at_most": "<=", "or_less": "<="}
_OPPOSITE: Final = {">": "<=", ">=": "<", "<": ">=", "<=": ">"}

_AMOUNT_IS: Final = (
    rf"(?:of )?(?:(?P<over>{p.OVER})|(?P<at_least>{p.AT_LEAST})|(?P<under>{p.UNDER})|(?P<at_most>{p.AT_MOST})) {_Q}"
)
_AMOUNT_OR: Final = rf"(?:of |from )?{_Q} (?:(?P<or_more>{p.OR_MORE})|(?P<or_less>{p.OR_LESS}))"


def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(text, re.IGNORECASE | re.ASCII)


def understand(clause: str, setting: Setting) -> Iterator[list[Rule]]:
    """Every reading of `clause` as a limit."""
    for pattern, form in _FORMS:
        if (found := pattern.fullmatch(clause)) and (rules := form(found, setting)):
            yield rules


def _sign(found: Match) -> str:
    groups = found.groupdict()
    return next(sign for name, sign in _SIGNS.items() if groups.get(name))


def _subject(found: Match, setting: Setting) -> Subject | None:
    return subject_of(found["subject"], setting)


def _quantity(text: str, subject: Subject) -> Quantity | None:
    """The quantity; "per refund" may follow, since each call is one refund."""
    if each := _PER.fullmatch(text):
        action = action_of(each["action"])
        if action is None or (action not in ANY_ACTION and action != subject.action):
            return None
        text = each["quantity"]
    return parse_quantity(text)


def _forbidden(found: Match, setting: Setting) -> Understood:
    """Deny what is beyond the limit that the sentence names ("must not exceed", "no refund above")."""
    return _beyond(_subject(found, setting), found, setting)


def _demanded(found: Match, setting: Setting) -> Understood:
    """Deny what isn't as the sentence demands ("must be at most")."""
    subject = _subject(found, setting)
    quantity = _quantity(found["quantity"], subject) if subject else None
    return limit(Effect.DENY, subject, _OPPOSITE[_sign(found)], quantity, setting) if subject and quantity else None


def _between(found: Match, setting: Setting) -> Understood:
    subject = _subject(found, setting)
    low, high = parse_quantity(found["low"]), parse_quantity(found["high"])
    return between(subject, low, high, setting) if subject and low and high else None


def _consequence(found: Match, setting: Setting) -> Understood:
    """ "Amounts above 500 USD need review", "Refunds over $500 are denied"."""
    subject = _subject(found, setting)
    quantity = _quantity(found["quantity"], subject) if subject else None
    effect = Effect.REVIEW if found["review"] else Effect.DENY
    return limit(effect, subject, _sign(found), quantity, setting) if subject and quantity else None


def _permitted(found: Match, setting: Setting) -> Understood:
    """ "Refunds up to $100 are allowed": what is beyond goes to a person. Only "approved automatically" approves what
    is within; "allowed" and "need no review" are meant to hold together with other sentences."""
    subject = _subject(found, setting)
    quantity = _quantity(found["quantity"], subject) if subject else None
    if not subject or not quantity or _sign(found) not in ("<", "<="):
        return None
    beyond = limit(Effect.REVIEW, subject, _OPPOSITE[_sign(found)], quantity, setting)
    if beyond is None or not found["approved"]:
        return beyond
    within = limit(Effect.APPROVE, subject, _sign(found), quantity, setting)
    return [*within, *beyond] if within is not None else None


def _never(found: Match, setting: Setting) -> Understood:
    """ "Never refund more than $100"."""
    return _beyond(subject_of(VERBS[found["verb"].lower()], setting), found, setting)


def _beyond(subject: Subject | None, found: Match, setting: Setting) -> Understood:
    quantity = _quantity(found["quantity"], subject) if subject else None
    if not subject or not quantity or _sign(found) == "<=":  # "no refunds up to $100" has two readings
        return None
    return limit(Effect.DENY, subject, _sign(found), quantity, setting)


def _share(found: Match, setting: Setting) -> Understood:
    """ "The discount must not exceed 20% of the price": both are numbers of one unit, else it isn't understood."""
    subject = _subject(found, setting)
    whole = subject_of(found["whole"], setting) if subject else None
    if not subject or not whole or not _comparable(subject, whole):
        return None
    part, total, percent = subject.field.expression, whole.field.expression, found["percent"]
    assumptions = [
        f"{subject.field.label} is what the sentence limits",
        f"{subject.field.label} and {whole.field.label} are in the same currency and unit",
        f"exactly {percent}% is not denied",
    ]
    negative = f"{part} < 0 || {total} < 0"
    return [
        setting.rule(Effect.DENY, subject.reach, [f"{part} * 100 > {total} * {percent}"], assumptions),
        setting.rule(Effect.REVIEW, subject.reach, [negative], ["a negative value goes to a person"]),
    ]


def _comparable(part: Subject, whole: Subject) -> bool:
    """Whether two numbers have one unit: both declared as the same money, or neither declared as money."""
    fields = (part.field, whole.field)
    if part.field.expression == whole.field.expression or any(f.kind not in (Kind.NUMBER, Kind.ANY) for f in fields):
        return False
    declared = [
        schema.money.get(field.path) if field.root == "args" else None
        for schema in part.reach.schemas
        for field in fields
    ]
    same = all(a == b for a, b in zip(declared[::2], declared[1::2], strict=True))
    return same and part.reach.tools == whole.reach.tools


_PER: Final = _pattern(r"(?P<quantity>.+) (?:per|for each|for any|in a single|in one) (?P<action>[a-z]+)")
_SHARE: Final = r"(?P<percent>[1-9][0-9]?|100|[1-9]?[0-9]\.[0-9]*[1-9]) ?(?:%|percent) of (?P<whole>[A-Za-z_`].*)"
_OUTCOME: Final = rf"(?:(?P<review>{p.IS_REVIEWED})|{p.IS_DENIED})"
_FORMS: Final[tuple[tuple[re.Pattern[str], Callable[[Match, Setting], Understood]], ...]] = (
    (_pattern(rf"{_S} {p.MUST_NOT} (?P<over>exceed|go over|go above|be {p.OVER}) {_Q}"), _forbidden),
    (_pattern(rf"{_S} {p.MUST_NOT} (?P<under>fall below|go below|be {p.UNDER}) {_Q}"), _forbidden),
    (_pattern(rf"{_S} {p.MUST} (?:be|stay|remain) {_AMOUNT_IS}"), _demanded),
    (
        _pattern(rf"{_S} (?:is|are|{p.MUST} be) (?P<at_most>limited to|capped at)(?: at most| a maximum of)? {_Q}"),
        _demanded,
    ),
    (_pattern(rf"{_S} (?:may|can) (?:be )?(?P<at_most>at most|up to) {_Q}"), _demanded),
    (_pattern(rf"The (?P<at_most>maximum|max|highest)(?: allowed| permitted)? {_S} (?:is|must be) {_Q}"), _demanded),
    (_pattern(rf"The (?P<at_least>minimum|min|lowest)(?: allowed| permitted)? {_S} (?:is|must be) {_Q}"), _demanded),
    (_pattern(rf"{_S} {p.MUST} be between (?P<low>\S.*?) and (?P<high>\S.*)"), _between),
    (_pattern(rf"{_S} {_AMOUNT_IS} {_OUTCOME}"), _consequence),
    (_pattern(rf"{_S} {_AMOUNT_OR} {_OUTCOME}"), _consequence),
    (_pattern(rf"(?P<review>Review) {_S} {_AMOUNT_IS}"), _consequence),
    (_pattern(rf"(?P<review>Require {p.REVIEW_NOUN} for) {_S} {_AMOUNT_IS}"), _consequence),
    (_pattern(rf"(?P<review>)(?:Deny|Reject|Block|Refuse|Decline) {_S} {_AMOUNT_IS}"), _consequence),
    (_pattern(rf"{_S} {_AMOUNT_IS} (?:(?P<approved>{p.IS_APPROVED})|{p.IS_ALLOWED})"), _permitted),
    (_pattern(rf"(?P<approved>Automatically approve|Auto-approve) {_S} {_AMOUNT_IS}"), _permitted),
    (_pattern(rf"Approve {_S} {_AMOUNT_IS}(?P<approved> automatically| without review)"), _permitted),
    (_pattern(rf"{_S} {p.MUST_NOT} (?:exceed|be {p.OVER}) {_SHARE}"), _share),
    (_pattern(rf"{_S} {p.MUST} (?:be|stay|remain) (?:{p.AT_MOST}) {_SHARE}"), _share),
    (_pattern(rf"{_S} (?:is|are|{p.MUST} be) (?:limited to|capped at) {_SHARE}"), _share),
    (_pattern(rf"(?:An? |The )?(?P<subject>[a-z]+) of (?:{p.OVER}) {_SHARE} {p.IS_DENIED}"), _share),
    (_pattern(rf"No {_S} (?:may|can) (?P<over>exceed|go over|go above|be {p.OVER}) {_Q}"), _forbidden),
    (_pattern(rf"No {_S} {_AMOUNT_IS}(?: (?:is|are)(?: ever)? (?:allowed|permitted|accepted))?"), _forbidden),
    (_pattern(rf"{p.NEVER} {p.DO} {_S} {_AMOUNT_IS}"), _forbidden),
    (_pattern(rf"{p.NEVER} (?P<verb>{'|'.join(VERBS)}) {_AMOUNT_IS}"), _never),
)
