"""A version of a policy and its life: draft → confirmed → active, or shadow beside the active one, and retired.

Invariants:

- What a version says never changes; other marks on its text make another version.
- Only what a person confirmed gets in force, or is evaluated beside it; `confirmation_hash` says what that person saw.
- At most one version of a policy is active and at most one is its shadow. Whoever takes such a place sends the one that
  had it away: the active one is retired, the shadow is confirmed again.
- Where a tenant asks for two people, none of a version's `authors` activates it.
- Going back is possible only to what was active before, and needs nobody else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from ledgix.formats import jcs
from ledgix_vault.errors import Conflict, Forbidden
from ledgix_vault.policy.globs import covers
from ledgix_vault.policy.model import PolicyDocument
from ledgix_vault.policy.schemas import ToolSchema


class VersionState(StrEnum):
    """Where a version is in its life."""

    DRAFT = "draft"
    CONFIRMED = "confirmed"
    ACTIVE = "active"
    SHADOW = "shadow"
    RETIRED = "retired"


@dataclass(frozen=True, slots=True)
class By:
    """Who moves a version, and when: an API key, the first key of its rotation chain, microseconds since the epoch."""

    key_id: str
    lineage: str
    now: int


@dataclass(frozen=True, slots=True)
class PolicyVersion:
    """One version as it stands. `authors` are the key chains that wrote it; `confirmed_by` and its like are key ids.

    `replaced` is the id of the version that was active when this one was activated: the one to go back to.
    """

    document: PolicyDocument
    version_id: str
    version: int
    state: VersionState
    registered_at: int
    registered_by: str
    authors: tuple[str, ...]
    confirmed_at: int | None = None
    confirmed_by: str | None = None
    confirmation_hash: str | None = None
    activated_at: int | None = None
    activated_by: str | None = None
    replaced: str | None = None

    @property
    def policy_id(self) -> str:
        return self.document.policy_id

    @property
    def place(self) -> str:
        """How messages call it."""
        return f"Version {self.version} of the policy {self.policy_id}"

    @classmethod
    def drafted(
        cls, document: PolicyDocument, version_id: str, version: int, by: By, authors: tuple[str, ...] = ()
    ) -> PolicyVersion:
        """A new draft; `authors` wrote what it is based on."""
        return cls(
            document=document,
            version_id=version_id,
            version=version,
            state=VersionState.DRAFT,
            registered_at=by.now,
            registered_by=by.key_id,
            authors=tuple(dict.fromkeys((*authors, by.lineage))),
        )

    def confirmed(self, by: By, hash_now: str) -> PolicyVersion:
        """Confirmed as it reads with the schemas of now; raises `Conflict` for a retired one. The same confirmation
        again changes nothing."""
        if self.state is VersionState.RETIRED:
            raise _wrong(self, "be confirmed; draft a new one")
        if self.confirmation_hash == hash_now and self.state is not VersionState.DRAFT:
            return self
        state = VersionState.CONFIRMED if self.state is VersionState.DRAFT else self.state
        return replace(self, state=state, confirmed_at=by.now, confirmed_by=by.key_id, confirmation_hash=hash_now)

    def activated(self, by: By, hash_now: str, replaced: str | None, *, two_people: bool) -> PolicyVersion:
        """In force; raises `Conflict` unless it was confirmed as it reads now, `Forbidden` for an author where two
        people are asked for."""
        if self.state not in (VersionState.CONFIRMED, VersionState.SHADOW):
            raise _wrong(self, "be activated; confirm it first" if self.state is VersionState.DRAFT else "be activated")
        self._check_confirmation(hash_now)
        if two_people and by.lineage in self.authors:
            raise Forbidden(
                f"{self.place} was written with this API key, and this tenant asks for two people: somebody else has"
                " to activate it.",
                code="second_person_needed",
            )
        return self._in_force(by, replaced)

    def brought_back(self, by: By) -> PolicyVersion:
        """In force again; raises `Conflict` unless it was active before."""
        if self.state is not VersionState.RETIRED or self.activated_at is None:
            raise _wrong(self, "be gone back to: it isn't one that was active before")
        return self._in_force(by, self.replaced)

    def shadowed(self, hash_now: str) -> PolicyVersion:
        """To be evaluated beside the active one; raises `Conflict` unless it was confirmed as it reads now."""
        if self.state is not VersionState.CONFIRMED:
            raise _wrong(self, "be a shadow; only a confirmed one can")
        self._check_confirmation(hash_now)
        return replace(self, state=VersionState.SHADOW)

    def retired(self) -> PolicyVersion:
        """Out of force for good, unless somebody goes back to it."""
        return replace(self, state=VersionState.RETIRED)

    def displaced(self) -> PolicyVersion:
        """What becomes of it when another version takes its place."""
        state = VersionState.RETIRED if self.state is VersionState.ACTIVE else VersionState.CONFIRMED
        return replace(self, state=state)

    def _in_force(self, by: By, replaced: str | None) -> PolicyVersion:
        return replace(self, state=VersionState.ACTIVE, activated_at=by.now, activated_by=by.key_id, replaced=replaced)

    def _check_confirmation(self, hash_now: str) -> None:
        if self.confirmation_hash != hash_now:
            raise Conflict(
                f"{self.place} was confirmed before a schema of its tools changed; confirm it again.",
                code="confirmation_outdated",
            )


def confirmation_hash(document: PolicyDocument, schemas: Mapping[str, ToolSchema]) -> str:
    """What a person confirms: SHA-256 over the JCS of the sentences, the rules that stand for them, everything else in
    the version (by its content hash), and the schemas of the tools that it covers. 64 hex characters."""
    met = {name: schema.content_hash for name, schema in schemas.items() if covers(document.tools, name)}
    return jcs.sha256_hex(
        {
            "v": 1,
            "sentences": list(document.sentences),
            "rules": [rule.to_json() for rule in document.rules],
            "policy_content_hash": document.content_hash,
            "schemas": {name: met[name] for name in sorted(met)},
        }
    )


def _wrong(version: PolicyVersion, what: str) -> Conflict:
    return Conflict(f"{version.place} is {version.state}, so it can't {what}.", code="policy_state")
