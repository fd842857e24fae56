"""Where a policy stands, in a row; and whose turn it is with a version."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ledgix_vault.operations.read_policies import PolicySummary
from ledgix_vault.policy.versions import PolicyVersion, VersionState
from ledgix_vault.policy.words.values import listed
from ledgix_vault.tenancy.people import Member
from ledgix_vault.tenancy.settings import ReviewSettings


@dataclass(frozen=True, slots=True)
class Row:
    """A policy as the library shows it. `shown` is the active version, or the newest where none is active; `waiting` a
    newer one that nobody has put in force."""

    policy_id: str
    shown: PolicyVersion
    active: PolicyVersion | None
    shadow: PolicyVersion | None
    waiting: PolicyVersion | None
    changed_at: int
    changed_by: str


@dataclass(frozen=True, slots=True)
class Turn:
    """`may_activate`: whether it is this person's turn. `who` says whose it is."""

    may_activate: bool
    two_people: bool
    who: str


def row_of(summary: PolicySummary, names: Mapping[str, str]) -> Row:
    """The row of a policy."""
    newest, active = summary.newest, summary.active
    waits = newest.state in (VersionState.DRAFT, VersionState.CONFIRMED)
    changed_at, changed_by = max(
        moment for version in (newest, active, summary.shadow) if version is not None for moment in _moments(version)
    )
    return Row(
        policy_id=newest.policy_id,
        shown=active or newest,
        active=active,
        shadow=summary.shadow,
        waiting=newest if waits else None,
        changed_at=changed_at,
        changed_by=names[changed_by],
    )


def turn_of(version: PolicyVersion, member: Member, settings: ReviewSettings, names: Mapping[str, str]) -> Turn:
    """Who may activate the version."""
    if not settings.two_person_activation:
        return Turn(True, False, "")
    if member.lineage not in version.authors:
        return Turn(True, True, "It is your turn: somebody else wrote this version.")
    authors = [("you" if author == member.lineage else names[author]) for author in version.authors]
    return Turn(
        False,
        True,
        f"It is somebody else’s turn: your organisation asks for two people, and this version was written by"
        f" {listed(authors, 'and')}.",
    )


def tools_in_words(tools: Sequence[str]) -> str:
    """ "stripe_refund and send_*"; "every tool" for a policy that names none."""
    return listed(list(tools), "and") if tools else "every tool"


def _moments(version: PolicyVersion) -> list[tuple[int, str]]:
    found = [(version.registered_at, version.registered_by)]
    if version.confirmed_at is not None:
        found.append((version.confirmed_at, version.confirmed_by or ""))
    if version.activated_at is not None:
        found.append((version.activated_at, version.activated_by or ""))
    return found
