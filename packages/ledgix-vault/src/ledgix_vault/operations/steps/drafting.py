"""From what a caller sent to a document, compiled against the schemas as of this transaction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ledgix.formats.json import JsonObject
from ledgix_vault.errors import Invalid, PolicyInvalid
from ledgix_vault.policy.draft import draft_policy
from ledgix_vault.policy.english import declared_facts
from ledgix_vault.policy.english.facts import Fact
from ledgix_vault.policy.errors import PolicyError
from ledgix_vault.policy.model import PolicyDocument
from ledgix_vault.policy.parts import Source
from ledgix_vault.sources.source import source_of
from ledgix_vault.store.documents import load_versions
from ledgix_vault.store.engine import Connection
from ledgix_vault.store.unit import Unit
from ledgix_vault.tenancy.state import TenantState


@dataclass(frozen=True, slots=True)
class SourceRef:
    """A document that a policy rests on, as the caller names it; without a version its newest."""

    document_id: str
    version: int | None = None


@dataclass(frozen=True, slots=True)
class Registration:
    """A policy as the caller wrote it: plain sentences, a definition in the rule language, or both.

    `set_aside` are those of the sentences that a person marks as not applicable, should they not compile. `facts`
    declares what sentences may name by words alone, as JSON Schema declares properties.
    """

    policy_id: str
    description: str
    sentences: tuple[str, ...]
    tools: tuple[str, ...]
    definition: str | None = None
    sources: tuple[SourceRef, ...] = ()
    set_aside: tuple[str, ...] = ()
    facts: JsonObject = field(default_factory=dict)


def check_policy_id(policy_id: str) -> None:
    """Raises `Invalid` for what no column can hold: it is an identifier, not text."""
    if "\0" in policy_id:
        raise Invalid("must not hold the character U+0000", path="$.policy_id")


def compile_policy(unit: Unit, tenant_id: str, registration: Registration) -> PolicyDocument:
    """Raises `PolicyInvalid` naming every problem with its line and column."""
    return compile_against(unit.connection, unit.tenant(tenant_id), registration)


def compile_against(connection: Connection, state: TenantState, registration: Registration) -> PolicyDocument:
    """The same outside of a transaction, against the tenant as it is at a moment."""
    for i, sentence in enumerate(registration.set_aside):
        if sentence not in registration.sentences:
            raise Invalid("is none of `rules`, word for word", path=f"$.set_aside[{i}]")
    facts = _declared(registration.facts)
    try:
        return draft_policy(
            policy_id=registration.policy_id,
            description=registration.description,
            sentences=registration.sentences,
            tools=registration.tools,
            definition=registration.definition,
            schemas=state.snapshot.schemas,
            sources=find_sources(connection, state.tenant_id, registration.sources),
            set_aside=registration.set_aside,
            facts=facts,
        )
    except PolicyError as error:
        raise PolicyInvalid(
            f"The policy was not registered. {error}",
            path="$.definition" if registration.definition is not None else "$.rules",
            problems=[problem.to_json() for problem in error.problems],
        ) from error


def _declared(facts: JsonObject) -> Mapping[str, Fact]:
    try:
        return declared_facts(facts)
    except PolicyError as error:
        problems = [problem.to_json() for problem in error.problems]
        raise PolicyInvalid(str(error), path="$.facts", problems=problems) from error


def find_sources(connection: Connection, tenant_id: str, wanted: tuple[SourceRef, ...]) -> tuple[Source, ...]:
    """The documents that the caller named, as they are now; raises `Invalid` for one that the tenant doesn't have."""
    return tuple(_find_source(connection, tenant_id, ref, f"$.sources[{i}]") for i, ref in enumerate(wanted))


def _find_source(connection: Connection, tenant_id: str, ref: SourceRef, path: str) -> Source:
    versions = load_versions(connection, tenant_id, ref.document_id) if "\0" not in ref.document_id else []
    if not versions:
        raise Invalid("there is no such document", path=f"{path}.document_id")
    found = [each for each in versions if (each.newest if ref.version is None else each.version == ref.version)]
    if not found:
        raise Invalid("the document has no such version", path=f"{path}.version")
    return source_of(found[0])
