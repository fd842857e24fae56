"""Confirming a version: a person looked at what the Vault understood, and says that it is what was meant.

Marks on text that no rule stands for (this sentence doesn't apply, the rules say all of that document) are part of what
a version says. So a confirmation with marks makes a new version, which is the one that is confirmed; the one that it
was made from stays as it was. Whoever marks is one of its authors.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from ledgix.formats.events import EventKind
from ledgix_vault.errors import Invalid
from ledgix_vault.ids import new_id
from ledgix_vault.operations.steps.versions import (
    by,
    check_types,
    done,
    hash_now,
    move,
    outcome,
    record_version,
    version_named,
)
from ledgix_vault.policy.draft import marked
from ledgix_vault.policy.versions import PolicyVersion
from ledgix_vault.store.idempotency import IdempotencyKey
from ledgix_vault.store.policies import add_version, next_version
from ledgix_vault.store.unit import Unit
from ledgix_vault.store.writer import Outcome as Stored
from ledgix_vault.tenancy.callers import Caller
from ledgix_vault.tenancy.scopes import Scope
from ledgix_vault.vault import Vault


@dataclass(frozen=True, slots=True)
class Marks:
    """What a person says of text that no rule stands for: sentences that don't apply, documents (by their ids) of which
    the rules say everything."""

    set_aside: tuple[str, ...] = ()
    settle: tuple[str, ...] = ()


async def confirm_policy_version(
    vault: Vault, caller: Caller, policy_id: str, number: int, marks: Marks, key: IdempotencyKey | None
) -> tuple[PolicyVersion, bool]:
    """The confirmed version, and whether this is a replay.

    Its event holds a hash over sentences, rules and schemas as they were confirmed. Raises `NotFound`, `Conflict` for a
    retired version, `PolicyInvalid` when it doesn't fit the schemas of now. Durable on return; nothing is decided by
    it yet.
    """
    caller.require(Scope.POLICY)
    stored = await vault.store.run(partial(_confirm, caller, policy_id, number, marks), key)
    return await outcome(vault, caller, stored)


def _confirm(caller: Caller, policy_id: str, number: int, marks: Marks, unit: Unit) -> Stored[PolicyVersion]:
    version = version_named(unit, caller, policy_id, number)
    check_types(unit, caller, version)
    if marks != Marks():
        return _with_marks(caller, version, marks, unit)
    confirmed = version.confirmed(by(caller, unit), hash_now(unit, caller, version))
    if confirmed is not version:
        move(unit, caller, version, confirmed)
        record_version(unit, caller, confirmed, EventKind.POLICY_CONFIRMED, "was confirmed")
    return done(confirmed)


def _with_marks(caller: Caller, base: PolicyVersion, marks: Marks, unit: Unit) -> Stored[PolicyVersion]:
    _check(base, marks)
    document = marked(base.document, marks.set_aside, marks.settle)
    number = next_version(unit, caller.tenant_id, base.policy_id)
    draft = PolicyVersion.drafted(document, new_id(), number, by(caller, unit), base.authors)
    confirmed = draft.confirmed(by(caller, unit), hash_now(unit, caller, draft))
    add_version(unit, caller.tenant_id, confirmed)
    record_version(
        unit,
        caller,
        confirmed,
        EventKind.POLICY_CONFIRMED,
        f"was made from version {base.version} by marking text, and confirmed",
        {"made_from": base.version_id},
    )
    return done(confirmed)


def _check(base: PolicyVersion, marks: Marks) -> None:
    for i, sentence in enumerate(marks.set_aside):
        if sentence not in base.document.uncompiled:
            raise Invalid("is none of the sentences that no rule stands for", path=f"$.set_aside[{i}]")
    known = {source.document_id for source in base.document.sources}
    for i, document_id in enumerate(marks.settle):
        if document_id not in known:
            raise Invalid("is none of the documents of this version", path=f"$.settle[{i}]")
