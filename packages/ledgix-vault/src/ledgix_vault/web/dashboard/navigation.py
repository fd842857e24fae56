"""The dashboard's parts, and who sees which: by the scopes that a part needs, not by role."""

from __future__ import annotations

from dataclasses import dataclass

from ledgix_vault.tenancy.people import Member
from ledgix_vault.tenancy.scopes import Scope


@dataclass(frozen=True, slots=True)
class Part:
    """One entry of the navigation. `scopes`: one of them is enough; none means everybody."""

    name: str
    path: str
    icon: str
    scopes: tuple[Scope, ...] = ()
    exact: bool = False


PARTS = (
    Part("Overview", "/app/", "overview", (Scope.LEDGER,), exact=True),
    Part("Reviews", "/app/reviews", "reviews", (Scope.REVIEW,)),
    Part("Requests", "/app/requests", "requests", (Scope.LEDGER,)),
    Part("Policies", "/app/policies", "policies", (Scope.POLICY, Scope.LEDGER_FULL)),
    Part("Documents", "/app/documents", "documents", (Scope.POLICY,)),
    Part("Tools", "/app/tools", "tools", (Scope.SCHEMAS,)),
    Part("Limits", "/app/limits", "limits", (Scope.POLICY,)),
    Part("Playground", "/app/playground", "playground", (Scope.CLEARANCE, Scope.POLICY)),
    Part("Settings", "/app/settings", "settings"),
)


@dataclass(frozen=True, slots=True)
class Entry:
    """A part as one page shows it."""

    name: str
    path: str
    icon: str
    is_current: bool


def navigation(member: Member, path: str) -> tuple[Entry, ...]:
    """The parts that this person sees, the current one marked."""
    return tuple(
        Entry(part.name, part.path, part.icon, path == part.path if part.exact else path.startswith(part.path))
        for part in PARTS
        if not part.scopes or any(member.allows(scope) for scope in part.scopes)
    )
