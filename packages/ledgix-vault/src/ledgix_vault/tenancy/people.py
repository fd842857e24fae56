"""People: what each role may do, and how surely a session knows who it is.

- A person is known by e-mail address and belongs to one tenant or several, with one role in each.
- A role is a set of scopes: what a person may do is asked in the same words as what an API key may do.
- Nobody hands out a right that they lack: neither by a key, nor by a role.
- A person never owns what an API key asked, so a denial by a person is never a cancel.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from ledgix_vault.errors import Forbidden, Invalid, MissingScope
from ledgix_vault.tenancy.scopes import Scope

LONGEST_EMAIL = 254
LONGEST_NAME = 120


class Role(StrEnum):
    """What somebody is for a tenant."""

    OWNER = "owner"
    POLICY_EDITOR = "policy_editor"
    REVIEWER = "reviewer"
    AUDITOR = "auditor"
    DEVELOPER = "developer"


ROLE_SCOPES: Final[Mapping[Role, frozenset[Scope]]] = MappingProxyType(
    {
        Role.OWNER: frozenset(Scope),
        Role.POLICY_EDITOR: frozenset({Scope.POLICY, Scope.SCHEMAS, Scope.LEDGER, Scope.LEDGER_FULL}),
        Role.REVIEWER: frozenset({Scope.REVIEW, Scope.LEDGER, Scope.LEDGER_FULL}),
        Role.AUDITOR: frozenset({Scope.LEDGER, Scope.LEDGER_FULL, Scope.REPORT}),
        Role.DEVELOPER: frozenset({Scope.CLEARANCE, Scope.CONSUME, Scope.SCHEMAS, Scope.LEDGER}),
    }
)


class Assurance(StrEnum):
    """How somebody showed who they are; it stands in every ledger event of what they did."""

    LINK = "link"  # an invitation or a reset link, nothing else yet
    PASSWORD = "password"  # noqa: S105 - a word, not a secret
    SINGLE_SIGN_ON = "single_sign_on"
    SECOND_FACTOR = "second_factor"  # a passkey, or a password and a one-time code


@dataclass(frozen=True, slots=True)
class Member:
    """A signed-in person, acting for one tenant. The same questions as to an API key get an answer.

    `tenant_only`: known by this tenant's own single sign-on, which speaks for no other tenant of the person.
    """

    tenant_id: str
    person_id: str
    email: str
    name: str
    role: Role
    assurance: Assurance
    tenant_only: bool = False

    @property
    def scopes(self) -> frozenset[Scope]:
        """What the role allows."""
        return ROLE_SCOPES[self.role]

    @property
    def identity(self) -> str:
        """Who did it, as the store and the ledger say it."""
        return self.person_id

    @property
    def lineage(self) -> str:
        """Who counts as the same: a person has no predecessor."""
        return self.person_id

    def allows(self, scope: Scope) -> bool:
        """Whether the role carries the scope."""
        return scope in self.scopes

    def require(self, scope: Scope) -> None:
        """MissingScope, naming it, unless the role carries the scope."""
        if scope not in self.scopes:
            raise MissingScope(scope, holder=f"The role “{self.role.replace('_', ' ')}”")

    def require_any(self, scope: Scope, *others: Scope) -> None:
        """MissingScope, naming the first, unless the role carries one of these."""
        if not any(each in self.scopes for each in (scope, *others)):
            raise MissingScope(scope, holder=f"The role “{self.role.replace('_', ' ')}”")

    def may_act_as(self, agent_id: str) -> bool:
        """A person may try a call as any agent."""
        return True

    def require_agent(self, agent_id: str) -> None:
        """Never raises: a person may try a call as any agent."""

    def require_whole(self) -> None:
        """Forbidden for who came by single sign-on: what is the person's own counts for other tenants too."""
        if self.tenant_only:
            raise Forbidden(
                "You are signed in by your organisation's single sign-on, which can't change how you sign in here.",
                code="tenant_only",
            )

    def owns(self, lineage: str) -> bool:
        """Whether this person asked it."""
        return lineage == self.person_id


def read_role(value: object, path: str = "$.role") -> Role:
    """The role that a word names; raises `Invalid`."""
    if not isinstance(value, str) or value not in tuple(Role):
        raise Invalid(f"must be one of {', '.join(Role)}", path=path)
    return Role(value)


def read_email(value: object, path: str = "$.email") -> str:
    """An address as it is compared: trimmed, in lower case. Refuses only what can't be one; a mail proves the rest."""
    if not isinstance(value, str):
        raise Invalid("must be a string", path=path)
    email = value.strip().lower()
    local, _, domain = email.rpartition("@")
    if not (local and domain and len(email) <= LONGEST_EMAIL and email.isprintable() and " " not in email):
        raise Invalid("must be an e-mail address", path=path)
    return email


def check_person_name(name: str, path: str = "$.name") -> str:
    """A person's name, trimmed; raises `Invalid` unless it can be shown in one line. It may be empty."""
    name = name.strip()
    if len(name) > LONGEST_NAME or not (name.isprintable() or not name):
        raise Invalid(f"must be at most {LONGEST_NAME} printable characters", path=path)
    return name
