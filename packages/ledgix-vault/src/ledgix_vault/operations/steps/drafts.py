"""A draft as somebody wants to try it: what it doesn't say is as in the active version."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ledgix_vault.errors import NotFound, PolicyInvalid
from ledgix_vault.policy.draft import draft_policy
from ledgix_vault.policy.errors import PolicyError
from ledgix_vault.policy.model import PolicyDocument
from ledgix_vault.policy.snapshot import ActivePolicy, Snapshot
from ledgix_vault.store.engine import Connection
from ledgix_vault.store.simulation import find_document
from ledgix_vault.tenancy.state import TenantState


@dataclass(frozen=True, slots=True)
class Draft:
    """None means: as in the active version, or nothing where there is none. `version` names a stored one instead."""

    policy_id: str
    sentences: tuple[str, ...] | None = None
    definition: str | None = None
    tools: tuple[str, ...] | None = None
    version: int | None = None


def compile_draft(connection: Connection, state: TenantState, draft: Draft) -> PolicyDocument:
    """Raises `PolicyInvalid` with every flaw, `NotFound` for a version that doesn't exist."""
    if draft.version is not None:
        stored = find_document(connection, state.tenant_id, draft.policy_id, draft.version)
        if stored is None:
            raise NotFound(f"There is no version {draft.version} of a policy {draft.policy_id!r}.")
        return stored
    active = state.snapshot.policy(draft.policy_id)
    says_nothing = draft.sentences is None and draft.definition is None
    if says_nothing and active is None:
        raise NotFound(f"There is no active policy {draft.policy_id!r}, and the draft says nothing.")
    base = active.document if active is not None else None
    sentences = draft.sentences if draft.sentences is not None else base.sentences if base and says_nothing else ()
    definition = draft.definition if not says_nothing else (base.definition or None) if base else None
    tools = draft.tools if draft.tools is not None else base.tools if base else ()
    try:
        return draft_policy(
            policy_id=draft.policy_id,
            description=base.description if base else "",
            sentences=sentences,
            tools=tools,
            definition=definition,
            schemas=state.snapshot.schemas,
            sources=base.sources if base else (),
            set_aside=base.set_aside if base else (),
        )
    except PolicyError as error:
        raise PolicyInvalid(
            f"The draft can't be tried. {error}",
            path="$.definition" if definition is not None else "$.rules",
            problems=[problem.to_json() for problem in error.problems],
        ) from error


def with_draft(state: TenantState, document: PolicyDocument) -> TenantState:
    """The tenant as if the draft were active in place of its policy. Its version has no id and the number 0."""
    others = [policy for policy in state.snapshot.policies if policy.document.policy_id != document.policy_id]
    policies = (*others, ActivePolicy(document, "", 0))
    snapshot = Snapshot(state.snapshot.number, policies, state.snapshot.schemas, state.snapshot.default)
    return replace(state, snapshot=snapshot)
