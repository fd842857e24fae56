"""The policies that the dashboard offers to start from; they are files of the package."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

from ledgix.formats.json import JsonObject
from ledgix_vault.policy.code.policy_file import PolicyFile, parse_policy_file
from ledgix_vault.policy.definition import MEMBERS


@dataclass(frozen=True, slots=True)
class FirstCall:
    """A call that a policy approves by itself, and what to change in it to see the rest."""

    tool: str
    args: JsonObject
    further: str


FIRST_CALLS = {
    "refunds-in-sentences": FirstCall(
        "stripe_refund",
        {"amount": 45, "currency": "USD"},
        "With an amount of 450 a person is asked; 4500 is denied.",
    ),
    "purchases-in-sentences": FirstCall(
        "create_purchase_order",
        {"amount": 120, "currency": "EUR", "quantity": 3},
        "With an amount of 1200 a person is asked; 12000 is denied.",
    ),
}
"""For those starters that need no facts: a first request works with nothing but its arguments."""


@dataclass(frozen=True, slots=True)
class Starter:
    """`summary` is the file's first line; `definition` is its rules as they are written there, "" for sentences.
    `first_call` is None where a call needs facts that only an application has."""

    name: str
    summary: str
    policy: PolicyFile
    definition: str
    first_call: FirstCall | None


@lru_cache(maxsize=1)
def starters() -> tuple[Starter, ...]:
    """Those in plain sentences first, then by name."""
    found = [
        _starter(entry.name.removesuffix(".yaml"), entry.read_text("utf-8"))
        for entry in files("ledgix_vault.policy").joinpath("templates").iterdir()
        if entry.name.endswith(".yaml")
    ]
    return tuple(sorted(found, key=lambda starter: (bool(starter.definition), starter.name)))


def starter_named(name: str) -> Starter | None:
    """The starter with this name, or None."""
    return next((starter for starter in starters() if starter.name == name), None)


def definition_text(text: str) -> str:
    """Of a policy's file the members that say what is decided, as they are written."""
    kept: list[str] = []
    keeps = False
    for line in text.splitlines():
        name, colon, _ = line.partition(":")
        if colon and name.isidentifier():
            keeps = name in MEMBERS
        if keeps:
            kept.append(line)
    return "\n".join(kept) + "\n" if kept else ""


def _starter(name: str, text: str) -> Starter:
    summary = text.partition("\n")[0].removeprefix("#").strip()
    return Starter(name, summary, parse_policy_file(text), definition_text(text), FIRST_CALLS.get(name))
