"""Second factors as rows: codes from an app, recovery codes, passkeys. They are a person's, whatever the tenant."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, delete, select, update

from ledgix_vault.store import schema
from ledgix_vault.store.unit import Unit
from ledgix_vault.tenancy.passkeys import Passkey
from ledgix_vault.tenancy.totp import Totp

_T, _R, _K = schema.totp, schema.recovery_code, schema.passkey


@dataclass(frozen=True, slots=True)
class Factors:
    """What a person can show beside a password. `app` may be one that no code has confirmed yet."""

    app: Totp | None
    passkeys: tuple[Passkey, ...]
    unused_codes: tuple[bytes, ...]

    @property
    def has_app(self) -> bool:
        return self.app is not None and self.app.is_factor

    @property
    def exist(self) -> bool:
        """Whether a password alone isn't enough."""
        return self.has_app or bool(self.passkeys)


def load_factors(connection: Connection, person_id: str) -> Factors:
    """The person's factors, passkeys in the order in which they came."""
    app = connection.execute(select(_T).where(_T.c.person_id == person_id)).one_or_none()
    passkeys = connection.execute(
        select(_K).where(_K.c.person_id == person_id).order_by(_K.c.created_at, _K.c.credential_id)
    )
    codes = connection.execute(select(_R.c.code_hash).where(_R.c.person_id == person_id, _R.c.used_at.is_(None)))
    return Factors(
        app=None if app is None else _totp(app),
        passkeys=tuple(_passkey(row) for row in passkeys),
        unused_codes=tuple(bytes(row.code_hash) for row in codes),
    )


def put_totp(unit: Unit, person_id: str, sealed_secret: bytes) -> None:
    """Begins an enrolment in place of an earlier one."""
    remove_totp(unit, person_id)
    unit.insert(_T, (person_id, sealed_secret, unit.now, None, 0))


def confirm_totp(unit: Unit, person_id: str, step: int) -> bool:
    """Makes an enrolment a factor, by its first code; whether this call did it."""
    unconfirmed = update(_T).where(_T.c.person_id == person_id, _T.c.confirmed_at.is_(None))
    return unit.write(unconfirmed.values(confirmed_at=unit.now, last_step=step)) == 1


def use_totp_step(unit: Unit, person_id: str, step: int) -> bool:
    """Uses a step, once; whether it was still unused. Whoever comes second with a code gets False."""
    unused = update(_T).where(_T.c.person_id == person_id, _T.c.confirmed_at.is_not(None), _T.c.last_step < step)
    return unit.write(unused.values(last_step=step)) == 1


def remove_totp(unit: Unit, person_id: str) -> None:
    """Forgets the app, if there is one."""
    unit.write(delete(_T).where(_T.c.person_id == person_id))


def put_recovery_codes(unit: Unit, person_id: str, hashes: Sequence[bytes]) -> None:
    """Stores fresh codes in place of all earlier ones."""
    remove_recovery_codes(unit, person_id)
    for code_hash in hashes:
        unit.insert(_R, (person_id, code_hash, unit.now, None))


def use_recovery_code(unit: Unit, person_id: str, code_hash: bytes) -> bool:
    """Uses a code, once; whether it was the person's and unused."""
    unused = update(_R).where(_R.c.person_id == person_id, _R.c.code_hash == code_hash, _R.c.used_at.is_(None))
    return unit.write(unused.values(used_at=unit.now)) == 1


def remove_recovery_codes(unit: Unit, person_id: str) -> None:
    """Forgets all codes, used ones too."""
    unit.write(delete(_R).where(_R.c.person_id == person_id))


def find_passkey(connection: Connection, credential_id: str) -> Passkey | None:
    """The passkey with this id, whosever it is."""
    row = connection.execute(select(_K).where(_K.c.credential_id == credential_id)).one_or_none()
    return None if row is None else _passkey(row)


def add_passkey(unit: Unit, passkey: Passkey) -> None:
    """Stores a new passkey."""
    unit.insert(
        _K,
        (
            passkey.credential_id,
            passkey.person_id,
            passkey.public_key,
            passkey.sign_count,
            passkey.name,
            passkey.created_at,
            passkey.last_used_at,
        ),
    )


def use_passkey(unit: Unit, passkey: Passkey, sign_count: int) -> bool:
    """Remembers a use and its counter; whether nobody else used it since `passkey` was read."""
    unchanged = update(_K).where(
        _K.c.credential_id == passkey.credential_id,
        _K.c.person_id == passkey.person_id,
        _K.c.sign_count == passkey.sign_count,
    )
    return unit.write(unchanged.values(sign_count=sign_count, last_used_at=unit.now)) == 1


def rename_passkey(unit: Unit, passkey: Passkey, name: str) -> None:
    """Changes what its owner calls it."""
    unit.write(update(_K).where(_K.c.credential_id == passkey.credential_id).values(name=name))


def remove_passkey(unit: Unit, passkey: Passkey) -> None:
    """Forgets it."""
    unit.write(delete(_K).where(_K.c.credential_id == passkey.credential_id))


def _totp(row: Any) -> Totp:
    return Totp(row.person_id, bytes(row.sealed_secret), row.started_at, row.confirmed_at, row.last_step)


def _passkey(row: Any) -> Passkey:
    return Passkey(
        credential_id=row.credential_id,
        person_id=row.person_id,
        public_key=bytes(row.public_key),
        sign_count=row.sign_count,
        name=row.name,
        created_at=row.created_at,
        last_used_at=row.last_used_at,
    )
