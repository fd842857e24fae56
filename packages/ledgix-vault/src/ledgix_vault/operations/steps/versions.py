"""Moving policy versions: found by their number, moved by compare-and-swap, each move with its event."""

from __future__ import annotations

from functools import partial

from ledgix.formats.events import EventKind
from ledgix.formats.json import JsonObject
from ledgix_vault.clearance.decision import decider_of
from ledgix_vault.errors import Conflict, NotFound, PolicyInvalid
from ledgix_vault.operations.steps.record import record_administration
from ledgix_vault.policy.draft import schema_problems
from ledgix_vault.policy.versions import By, PolicyVersion, VersionState, confirmation_hash
from ledgix_vault.store.policies import find_version, find_version_in, load_version, move_version
from ledgix_vault.store.unit import Unit
from ledgix_vault.store.writer import Outcome as Stored
from ledgix_vault.store.writer import Replayed
from ledgix_vault.tenancy.callers import Caller
from ledgix_vault.vault import Vault


def by(caller: Caller, unit: Unit) -> By:
    """Who moves a version, as of this transaction."""
    return By(caller.identity, caller.lineage, unit.now)


async def active_version_id(vault: Vault, caller: Caller, policy_id: str) -> str | None:
    """The active version that the caller means to replace: what is active when the request arrives."""
    found = await vault.store.read(
        partial(find_version_in, tenant_id=caller.tenant_id, policy_id=policy_id, state=VersionState.ACTIVE)
    )
    return None if found is None else found.version_id


async def outcome(vault: Vault, caller: Caller, stored: PolicyVersion | Replayed) -> tuple[PolicyVersion, bool]:
    """The version that an operation moved, and whether this is a replay; then it is as it stands by now."""
    if not isinstance(stored, Replayed):
        return stored, False
    found = partial(load_version, tenant_id=caller.tenant_id, version_id=stored.reference)
    return await vault.store.read(found), True


def done(version: PolicyVersion) -> Stored[PolicyVersion]:
    """The end of a unit: the version, remembered for retries."""
    return Stored(version, reference=version.version_id)


def version_named(unit: Unit, caller: Caller, policy_id: str, number: int) -> PolicyVersion:
    """Raises `NotFound`, also for another tenant's."""
    found = find_version(unit.connection, caller.tenant_id, policy_id, number)
    if found is None:
        raise NotFound(f"There is no version {number} of such a policy.")
    return found


def hash_now(unit: Unit, caller: Caller, version: PolicyVersion) -> str:
    """What somebody who confirms this version now confirms."""
    return confirmation_hash(version.document, unit.tenant(caller.tenant_id).snapshot.schemas)


def check_types(unit: Unit, caller: Caller, version: PolicyVersion) -> None:
    """Raises `PolicyInvalid` unless the version type-checks against the schemas of now."""
    if problems := schema_problems(version.document, unit.tenant(caller.tenant_id).snapshot.schemas):
        raise PolicyInvalid(
            f"{version.place} does not fit the tool schemas of now. {problems[0].message}",
            problems=[problem.to_json() for problem in problems],
        )


def move(unit: Unit, caller: Caller, before: PolicyVersion, after: PolicyVersion) -> None:
    """Stores a version's next state; raises `Conflict` when somebody else moved it first."""
    if not move_version(unit, caller.tenant_id, before, after):
        raise moved(before.policy_id)


def displace(unit: Unit, caller: Caller, policy_id: str, state: VersionState) -> PolicyVersion | None:
    """Frees the place of the active version or the shadow; who had it, as it was."""
    found = find_version_in(unit.connection, caller.tenant_id, policy_id, state)
    if found is not None:
        move(unit, caller, found, found.displaced())
    return found


def moved(policy_id: str) -> Conflict:
    """Somebody else was faster."""
    return Conflict(f"Somebody else changed the policy {policy_id} a moment ago; look again.", code="policy_moved")


def record_version(
    unit: Unit,
    caller: Caller,
    version: PolicyVersion,
    kind: EventKind,
    what: str,
    more: JsonObject | None = None,
) -> None:
    """Appends the event that says `kind` of this version; `what` ends the sentence that it begins."""
    record_administration(
        unit,
        caller.tenant_id,
        kind,
        reason=f"Policy {version.policy_id} version {version.version} {what}.",
        decider=decider_of(caller),
        metadata={
            "policy_id": version.policy_id,
            "policy_version_id": version.version_id,
            "policy_content_hash": version.document.content_hash,
            "version": version.version,
            "state": str(version.state),
            "authors": list(version.authors),
            "confirmation_hash": version.confirmation_hash,
            "replaced": version.replaced,
            **(more or {}),
        },
    )
