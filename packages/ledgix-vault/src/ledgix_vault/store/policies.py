"""Policy versions as rows: what a version says is written once, where it is in its life moves by compare-and-swap."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import Connection, func, or_, select, update

from ledgix.formats import jcs, json
from ledgix_vault.policy.model import PolicyDocument
from ledgix_vault.policy.versions import PolicyVersion, VersionState
from ledgix_vault.store import schema
from ledgix_vault.store.administration import raise_snapshot_number
from ledgix_vault.store.tenants import stored_object
from ledgix_vault.store.unit import Unit

_P = schema.policy_version
LARGEST_VERSION = 2**31 - 1
_DECIDING = frozenset((VersionState.ACTIVE, VersionState.SHADOW))  # a shadow decides nothing, but what is recorded


def next_version(unit: Unit, tenant_id: str, policy_id: str) -> int:
    """The number of the policy's next version."""
    newest = select(func.max(_P.c.version)).where(_P.c.tenant_id == tenant_id, _P.c.policy_id == policy_id)
    return int(unit.read(newest).scalar_one() or 0) + 1


def add_version(unit: Unit, tenant_id: str, version: PolicyVersion) -> None:
    """Stores a new version; one that is active or a shadow must find its place free."""
    unit.insert(
        _P,
        (
            tenant_id,
            version.version_id,
            version.policy_id,
            version.version,
            jcs.canonicalize(version.document.to_json()).decode(),
            version.document.content_hash,
            version.registered_at,
            version.registered_by,
            str(version.state),
            jcs.canonicalize(list(version.authors)).decode(),
            version.confirmed_at,
            version.confirmed_by,
            version.confirmation_hash,
            version.activated_at,
            version.activated_by,
            version.replaced,
        ),
    )
    if version.state in _DECIDING:
        raise_snapshot_number(unit, tenant_id)


def move_version(unit: Unit, tenant_id: str, before: PolicyVersion, after: PolicyVersion) -> bool:
    """Writes a version's next state if it is still in the state before."""
    changed = unit.write(
        update(_P)
        .where(
            _P.c.tenant_id == tenant_id,
            _P.c.policy_version_id == before.version_id,
            _P.c.state == str(before.state),
        )
        .values(
            state=str(after.state),
            confirmed_at=after.confirmed_at,
            confirmed_by=after.confirmed_by,
            confirmation_hash=after.confirmation_hash,
            activated_at=after.activated_at,
            activated_by=after.activated_by,
            replaced=after.replaced,
        )
    )
    if before.state != after.state and _DECIDING & {before.state, after.state}:
        raise_snapshot_number(unit, tenant_id)
    return changed == 1


def find_version(connection: Connection, tenant_id: str, policy_id: str, number: int) -> PolicyVersion | None:
    """The policy's version with that number, or None."""
    if not 1 <= number <= LARGEST_VERSION or "\0" in policy_id:
        return None
    return _one(connection, _P.c.tenant_id == tenant_id, _P.c.policy_id == policy_id, _P.c.version == number)


def find_version_in(
    connection: Connection, tenant_id: str, policy_id: str, state: VersionState
) -> PolicyVersion | None:
    """The policy's version in a state that only one has: active or shadow."""
    if "\0" in policy_id:
        return None
    return _one(connection, _P.c.tenant_id == tenant_id, _P.c.policy_id == policy_id, _P.c.state == str(state))


def version_by_id(connection: Connection, tenant_id: str, version_id: str) -> PolicyVersion | None:
    """The version with this id, or None (another tenant's looks the same)."""
    return _one(connection, _P.c.tenant_id == tenant_id, _P.c.policy_version_id == version_id)


def load_version(connection: Connection, tenant_id: str, version_id: str) -> PolicyVersion:
    """The version with this id, which must exist."""
    found = _one(connection, _P.c.tenant_id == tenant_id, _P.c.policy_version_id == version_id)
    assert found is not None
    return found


def list_versions(
    connection: Connection, tenant_id: str, policy_id: str, *, before: int, limit: int
) -> list[PolicyVersion]:
    """The policy's versions below `before`, newest first."""
    if "\0" in policy_id:
        return []
    rows = connection.execute(
        select(_P)
        .where(_P.c.tenant_id == tenant_id, _P.c.policy_id == policy_id, _P.c.version < before)
        .order_by(_P.c.version.desc())
        .limit(limit)
    )
    return [version_of_row(row) for row in rows]


def list_policies(connection: Connection, tenant_id: str) -> list[PolicyVersion]:
    """Of each policy its newest version, and the active one and the shadow where there are such; by policy id, newest
    first."""
    newest = (
        select(_P.c.policy_id, func.max(_P.c.version).label("version"))
        .where(_P.c.tenant_id == tenant_id)
        .group_by(_P.c.policy_id)
        .subquery()
    )
    is_newest = _P.c.version == newest.c.version
    rows = connection.execute(
        select(_P)
        .join(newest, newest.c.policy_id == _P.c.policy_id)
        .where(_P.c.tenant_id == tenant_id, or_(is_newest, _P.c.state.in_(sorted(_DECIDING))))
        .order_by(_P.c.policy_id, _P.c.version.desc())
    )
    return [version_of_row(row) for row in rows]


def editors_of(
    connection: Connection, tenant_id: str, deciding: Collection[tuple[str, str]], lineages: Mapping[str, str]
) -> dict[tuple[str, str], frozenset[str]]:
    """Who wrote, confirmed or activated each of these versions, given as (policy id, version id), or the version of the
    same policy that is active now. People, and keys by the first of their rotation chain, which `lineages` gives."""
    if not deciding:
        return {}
    policies = sorted({policy_id for policy_id, _ in deciding})
    rows = connection.execute(
        select(
            _P.c.policy_id, _P.c.policy_version_id, _P.c.state, _P.c.authors, _P.c.confirmed_by, _P.c.activated_by
        ).where(
            _P.c.tenant_id == tenant_id,
            _P.c.policy_id.in_(policies),
            or_(
                _P.c.state == str(VersionState.ACTIVE),
                _P.c.policy_version_id.in_(sorted({version_id for _, version_id in deciding})),
            ),
        )
    ).all()
    editors: dict[tuple[str, str], frozenset[str]] = {}
    for policy_id, version_id in deciding:
        found: set[str] = set()
        for row in rows:
            if row.policy_version_id == version_id or (row.policy_id, row.state) == (policy_id, VersionState.ACTIVE):
                moved_by = [who for who in (row.confirmed_by, row.activated_by) if who]
                found.update(_authors(row), (lineages.get(who, who) for who in moved_by))
        editors[policy_id, version_id] = frozenset(found)
    return editors


def version_of_row(row: Any) -> PolicyVersion:
    """The version that a row is."""
    return PolicyVersion(
        document=_document(row),
        version_id=row.policy_version_id,
        version=row.version,
        state=VersionState(row.state),
        registered_at=row.registered_at,
        registered_by=row.registered_by,
        authors=_authors(row),
        confirmed_at=row.confirmed_at,
        confirmed_by=row.confirmed_by,
        confirmation_hash=row.confirmation_hash,
        activated_at=row.activated_at,
        activated_by=row.activated_by,
        replaced=row.replaced,
    )


def _authors(row: Any) -> tuple[str, ...]:
    authors = json.parse(row.authors.encode())
    assert isinstance(authors, list)
    return tuple(str(author) for author in authors)


def _document(row: Any) -> PolicyDocument:
    # The schemas of today don't decide whether a version can be read.
    return PolicyDocument.from_json(stored_object(row.document), {})


def _one(connection: Connection, *conditions: Any) -> PolicyVersion | None:
    row = connection.execute(select(_P).where(*conditions)).one_or_none()
    return None if row is None else version_of_row(row)
