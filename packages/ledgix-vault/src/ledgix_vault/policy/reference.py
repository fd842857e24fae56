"""The reference of the policy language, made from the grammar and the tables that the evaluator runs on.

`python -m ledgix_vault.policy.reference > docs/policy-reference.md`; a test holds the page against it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from ledgix_vault.policy import definition, parts, reading, written
from ledgix_vault.policy.cel import inputs, parse
from ledgix_vault.policy.cel.compile import MOST_NESTED, USAGE
from ledgix_vault.policy.cel.roots import ROOTS

ROOT_MEANINGS: Final[Mapping[str, str]] = {
    "args": "the exact arguments of the call",
    "facts": "`context.facts`: what the application knows beside the arguments",
    "tables": "the constants of the policy's own definition",
    "tool": "the tool's name",
    "agent_id": "who calls",
    "session_id": "the conversation; empty when the call names none",
    "human_principal": "the person acted for, or null",
    "purpose": "what personal data is used for, or null",
    "data_categories": "the categories of personal data, or null",
    "now": "the moment of the deciding transaction, a timestamp",
    "session": "`session.calls`: calls of the same session that were approved before, newest first, each with `tool`,"
    " `args` and `at`; unknown without a session, or with more than 1000",
    "destination": "the counterparty: `uri`, `provider`, `account_ref`, as far as they are known",
}
FUNCTION_MEANINGS: Final[Mapping[str, str]] = {
    "has": "whether a member is there; there but null is unknown",
    "given": "whether a member is there, and neither null nor blank nor empty; never unknown for what is missing",
    "size": "characters of a string, items of a list, members of an object",
    "startsWith": "whether a string begins so",
    "endsWith": "whether a string ends so",
    "contains": "whether a string holds another",
    "lowerAscii": "A to Z become a to z; nothing else changes",
    "money": "an argument's amount in whole units of a currency; negative, in another currency or in an unclear unit is"
    " unknown",
    "sum": "the exact sum of a list of numbers; of none, 0",
    "min": "the least of a list of numbers; of none, unknown",
    "max": "the greatest of a list of numbers; of none, unknown",
    "distinct": "each value of a list of strings, or of numbers, once",
    "timestamp": "a moment, by RFC 3339; a text without a zone is unknown unless one is given",
    "date": "a calendar date, of a text as written, or of a moment in a zone",
    "duration": "a span of hours, minutes, seconds, or days of 24 hours",
    "years": "full years between two dates",
    "getFullYear": "the year",
    "getMonth": "the month, from 0",
    "getDate": "the day of the month, from 1",
    "getDayOfWeek": "the day of the week, from Sunday, which is 0",
    "getHours": "the hour, of a timestamp",
    "getMinutes": "the minute, of a timestamp",
}
LOOP_MEANINGS: Final[Mapping[str, str]] = {
    "all": "whether a condition holds for every item; one that is false decides",
    "exists": "whether it holds for some item; one that is true decides",
    "exists_one": "whether it holds for exactly one item; every item must be decidable",
    "map": "a list with a value for each item",
    "filter": "the items for which a condition holds; every item must be decidable",
}
PART_MEANINGS: Final[Mapping[str, str]] = {
    "rules": "conditions with an effect: approve, review or deny",
    "otherwise": "what becomes of calls that no rule speaks about: review unless it says otherwise",
    "action_category": "what such actions are called in the ledger",
    "tables": "constants for conditions",
    "limits": "budgets and rates",
    "destinations": "lists of allowed and denied counterparties",
    "registers": "records of processing activities",
    "judge": "what a language model may do where only text is left",
    "retry_after_unknown": "true: one more mint of a call whose outcome was reported as `unknown`; false when left out",
}


def reference() -> str:
    """The page, in Markdown."""
    return "\n".join([*_head(), *_grammar(), *_names(), *_definition(), *_bounds()]) + "\n"


def _head() -> Iterator[str]:
    yield "# Policy language reference"
    yield ""
    yield "Made from the grammar that the Vault runs on. How to use it stands in"
    yield "[policy-language.md](policy-language.md)."
    yield ""
    yield "A condition is true, false or unknown. It is unknown as soon as something that it needs is missing, null, of"
    yield "another type, unreadable or out of bounds; an unknown condition sends the call to a person."
    yield ""


def _grammar() -> Iterator[str]:
    yield "## Grammar"
    yield ""
    yield "A subset of CEL. Spaces and line ends may stand between any two words."
    yield ""
    yield "```ebnf"
    for line in parse.GRAMMAR.strip().splitlines():
        if not line.startswith("%"):
            yield re.sub(r"^\?", "", re.sub(r"\s+-> \w+$", "", line)).rstrip()
    yield "```"
    yield ""


def _names() -> Iterator[str]:
    yield from _table("What conditions look at", "name", ((f"`{name}`", ROOT_MEANINGS[name]) for name in ROOTS))
    used = ((USAGE[name], FUNCTION_MEANINGS[name]) for name in USAGE)
    yield from _table("Functions", "used like", used)
    loops = ((f"`list.{name}(item, …)`", LOOP_MEANINGS[name]) for name in parse.QUANTIFIERS)
    yield from _table("Lists", "used like", loops)


def _definition() -> Iterator[str]:
    members = ((f"`{name}`", PART_MEANINGS[name]) for name in definition.MEMBERS)
    yield from _table("A definition", "member", members)
    yield f"A limit's window is rolling (`90s`, `15m`, `24h`, `30d`), one of {_words(parts.CALENDAR_WINDOWS)}"
    yield f"in a time zone, or `{parts.EVER}`."
    yield ""


def _bounds() -> Iterator[str]:
    bounds = (
        ("characters of a condition", parse.LONGEST_TEXT),
        ("operations in a condition", parse.MOST_NODES),
        ("depth of a condition", parse.DEEPEST),
        ("loops inside each other", MOST_NESTED),
        ("items of a list that is looked through", inputs.MOST_ITEMS),
        ("items that one condition looks at in all", inputs.MOST_STEPS),
        ("conditions of a rule", reading.MOST_CONDITIONS),
        ("rules of a definition", definition.MOST_RULES),
        ("limits, lists or registers of a definition", written.MOST_PARTS),
        ("bytes of all tables", written.LARGEST_TABLES),
        ("times that a judge is asked", written.MOST_TIMES),
    )
    yield from _table("Bounds", "at most", ((f"{most:,}", what) for what, most in bounds))


def _table(title: str, first: str, rows: Iterable[tuple[str, str]]) -> Iterator[str]:
    yield f"## {title}"
    yield ""
    yield f"| {first} | |"
    yield "|---|---|"
    yield from (f"| {name} | {meaning} |" for name, meaning in rows)
    yield ""


def _words(names: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in names)


if __name__ == "__main__":
    print(reference(), end="")
