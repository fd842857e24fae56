"""Rules, limits and the other parts of a policy in plain words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final, assert_never

from ledgix_vault.policy.cel.inputs import spell
from ledgix_vault.policy.cel.times import parse_span
from ledgix_vault.policy.cel.tree import Each, Logic
from ledgix_vault.policy.conditions import Condition
from ledgix_vault.policy.effect import Effect
from ledgix_vault.policy.model import PolicyDocument, Rule
from ledgix_vault.policy.parts import EVER, Destinations, JudgeMay, JudgeTerms, Limit, Register
from ledgix_vault.policy.words.conditions import condition_in_words
from ledgix_vault.policy.words.values import currency_of, listed, literal, value_in_words

_CALENDAR: Final[Mapping[str, str]] = MappingProxyType(
    {"day": "a day", "week": "a week", "month": "a calendar month", "year": "a calendar year"}
)


def rule_in_words(rule: Rule) -> str:
    """ "Denied if the amount is more than 1,000 USD (for stripe_refund)." What has no words stands as it is written."""
    said = _all_of(rule.when)
    tools = f" (for {listed(rule.tools, 'and')})" if rule.tools else ""
    return f"{after_that(rule.effect)} {f'if {said}' if said else 'always'}{tools}."


def _all_of(when: Sequence[Condition]) -> str:
    """All conditions as one part of a sentence; one that is an alternative stands in parentheses beside others."""
    said = []
    for condition in when:
        words = condition_in_words(condition) or condition.text
        node = condition.node
        several = len(when) > 1 and (isinstance(node, Each) or (isinstance(node, Logic) and node.operator == "||"))
        said.append(f"({words})" if several else words)
    return " and ".join(said)


def conditions_of(rule: Rule) -> list[tuple[str | None, str]]:
    """Each condition in words, None where there are none, and as it is written."""
    return [(condition_in_words(condition), condition.text) for condition in rule.when]


def after_that(effect: Effect) -> str:
    """What becomes of a call: "Denied", "A person decides", "Approved"."""
    match effect:
        case Effect.APPROVE:
            return "Approved"
        case Effect.REVIEW:
            return "A person decides"
        case Effect.DENY:
            return "Denied"
        case _:
            assert_never(effect)


def otherwise_in_words(effect: Effect) -> str:
    """What becomes of the calls of which no rule speaks."""
    match effect:
        case Effect.APPROVE:
            return "A call that none of this stops is approved."
        case Effect.REVIEW:
            return "Of a call about which none of this says anything, a person decides."
        case Effect.DENY:
            return "A call about which none of this says anything is denied."
        case _:
            assert_never(effect)


def limit_in_words(limit: Limit) -> str:
    """ "The amount adds up to at most 2,000 USD within 24 hours, for each agent. What goes beyond is denied." """
    what = "" if limit.sum is None else (value_in_words(limit.sum.node) or limit.sum.text)
    most = literal(limit.most)
    if limit.sum is None:
        head = f"At most {most} call{'' if limit.most == 1 else 's'}"
    else:
        head = f"{what[:1].upper()}{what[1:]} adds up to at most {most}{currency_of(limit.sum.node)}"
    beyond = "is denied" if limit.effect is Effect.DENY else "goes to a person"
    return f"{head} {_window(limit)}{_shared(limit)}{_counted(limit)}. What goes beyond {beyond}."


def _window(limit: Limit) -> str:
    if limit.window == EVER:
        return "in total"
    if limit.window in _CALENDAR:
        return f"in {_CALENDAR[limit.window]} ({limit.timezone})"
    span = parse_span(limit.window)
    return f"within {spell(span) if span is not None else limit.window}"


def _shared(limit: Limit) -> str:
    if not limit.per:
        return ""
    return f", for each {listed([_thing(value_in_words(e.node)) or e.text for e in limit.per], 'and')}"


def _thing(words: str | None) -> str:
    return (words or "").removeprefix("the ")


def _counted(limit: Limit) -> str:
    said = _all_of(limit.when)
    tools = f" of {listed(limit.tools, 'and')}" if limit.tools else ""
    return f", counting calls{tools}{f' where {said}' if said else ''}" if said or tools else ""


def destinations_in_words(destinations: Destinations) -> str:
    """Who may receive calls."""
    said = []
    if destinations.allow:
        said.append(f"Calls go only to {listed(destinations.allow)}.")
    if destinations.deny:
        said.append(f"Calls never go to {listed(destinations.deny)}.")
    return " ".join(said)


def register_in_words(register: Register) -> str:
    """Which personal data may go to whom, and for what."""
    to = f" to {listed(register.recipients)}" if register.recipients else ""
    purposes, categories = listed(register.purposes), listed(register.data_categories, "and")
    return f"Personal data ({categories}) may go{to} for {purposes}, as record of processing {register.ref}."


def retry_in_words(document: PolicyDocument) -> str:
    """What may be done about a call whose outcome is unknown; "" where nothing may."""
    if not document.retry_after_unknown:
        return ""
    return "When nobody can tell whether a call was delivered, it may be tried once more, and counts once more."


def judge_in_words(judge: JudgeTerms) -> str:
    """What a language model may do where only text is left."""
    if judge.may is JudgeMay.LOWER:
        return "Where only text is left to decide, a language model may deny a call or send it to a person."
    said = _all_of(judge.when)
    return (
        f"Where only text is left to decide, a language model may approve a call if {said}, and if it says the same"
        f" {judge.times} times."
    )
