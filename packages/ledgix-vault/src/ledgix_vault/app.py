"""The only wiring: Settings → Vault."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from ledgix.formats.keys import PublicKey
from ledgix_vault.errors import StartRefused, Unavailable, VaultError
from ledgix_vault.files import make_private_directory
from ledgix_vault.keys.ring import KeyRing
from ledgix_vault.keys.unlock import Unlock
from ledgix_vault.operations.create_tenant import CreatedTenant, Owner, create_tenant
from ledgix_vault.operations.recover_logs import RecoveredLog, recover_logs
from ledgix_vault.operations.resume_logs import resume_logs
from ledgix_vault.policy.errors import PolicyError
from ledgix_vault.settings import Settings
from ledgix_vault.store import schema
from ledgix_vault.store.audit import UNREADABLE
from ledgix_vault.store.engine import Database, open_postgresql, open_sqlite
from ledgix_vault.store.high_water import HighWater
from ledgix_vault.store.lock import DirectoryLock
from ledgix_vault.store.migrate import check_schema, create_schema, drop_schema
from ledgix_vault.store.signing_keys import Purpose, SigningKey, load_signing_keys, signing_key_row
from ledgix_vault.store.store import Store
from ledgix_vault.vault import Vault, system_clock


@dataclass(frozen=True, slots=True)
class OpenVault:
    """A Vault that holds its data directory, and the cells outside of its database."""

    vault: Vault
    high_water: HighWater


@contextlib.contextmanager
def open_vault(
    settings: Settings,
    *,
    clock: Callable[[], int] = system_clock,
    commit: Callable[[Connection], None] = Connection.commit,
    recovery: Callable[[OpenVault], None] = lambda _: None,
) -> Iterator[OpenVault]:
    """Opens an initialised data directory for exclusive use; raises `StartRefused` with the remedy when it can't.

    `recovery` runs before the logs are held against their high-water cells (for `ledgix-vault recover` alone).

    On leaving, every accepted unit of work has been answered and everything is closed.
    """
    check_directory(settings)
    with contextlib.ExitStack() as stack:
        stack.enter_context(DirectoryLock.acquire(settings.data_dir))
        with _refusing_damage(settings):
            opened = _open(stack, settings, clock, commit, recovery)
        yield opened


def _open(
    stack: contextlib.ExitStack,
    settings: Settings,
    clock: Callable[[], int],
    commit: Callable[[Connection], None],
    recovery: Callable[[OpenVault], None],
) -> OpenVault:
    database = open_database(settings)
    stack.callback(database.close)
    check_schema(database, settings)
    with database.reader.connect() as connection:
        signing_keys = load_signing_keys(connection)
    ring = open_keys(settings, [key.public.kid for key in _active(signing_keys)])
    store = Store(
        database,
        clock=clock,
        ledger_key=ring.private,
        capacity=settings.queue_capacity,
        group_limit=settings.group_limit,
        commit=commit,
    )
    store.start()
    stack.callback(store.close)
    high_water = HighWater.open(settings.high_water)
    stack.callback(high_water.close)
    opened = OpenVault(Vault(settings, store, ring, _token_key(signing_keys), clock=clock), high_water)
    recovery(opened)
    resume_logs(store, high_water)
    return opened


@contextlib.contextmanager
def _refusing_damage(settings: Settings) -> Iterator[None]:
    """What opening trips over, in words: rows that this program didn't write look like anything."""
    try:
        yield
    except (StartRefused, Unavailable):
        raise
    except (SQLAlchemyError, VaultError, PolicyError, *UNREADABLE) as error:
        place = "The database" if settings.database_url is not None else f"The file {settings.database_file}"
        raise StartRefused(
            f"{place} is damaged or was edited: {getattr(error, 'orig', None) or error!r}.",
            "Run `ledgix-vault check` for the place, then put the database back from a backup.",
        ) from error


def open_keys(settings: Settings, kids: Sequence[str]) -> KeyRing:
    """The private keys with these ids; raises `StartRefused` naming the file or the secret that stands in the way."""
    return KeyRing.open(settings.key_directory, _unlock(settings), kids)


def initialise(
    settings: Settings, tenant_name: str, owner: Owner, *, clock: Callable[[], int] = system_clock
) -> CreatedTenant:
    """Creates the data directory with its keys, database, first tenant, owner and full-access key.

    Refuses a directory that is in use. If anything goes wrong, what was made is taken away again.
    """
    directory = settings.data_dir
    existed = directory.exists()
    if existed and (not directory.is_dir() or any(directory.iterdir())):
        raise StartRefused(f"{directory} is not empty.", "Give a new or an empty directory; nothing was changed.")
    try:
        return _initialise(settings, tenant_name, owner, clock)
    except BaseException:
        _take_away(directory, keep=existed)
        raise


def _initialise(settings: Settings, tenant_name: str, owner: Owner, clock: Callable[[], int]) -> CreatedTenant:
    directory = settings.data_dir
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    key_directory = settings.key_directory
    make_private_directory(key_directory)
    ring = KeyRing.create(key_directory, _new_unlock(settings))
    HighWater.create(settings.high_water).close()
    with contextlib.closing(open_database(settings)) as database:
        create_schema(database)
        try:
            _store_token_key(database, ring.generate(), clock())
            with open_vault(settings, clock=clock) as opened:
                return create_tenant(opened.vault, tenant_name, owner)
        except BaseException:
            drop_schema(database)
            raise


def _store_token_key(database: Database, key: PublicKey, now: int) -> None:
    with database.writer.begin() as connection:
        database.insert(connection, schema.signing_key, [signing_key_row(key, tenant_id=None, active_from=now)])


def recover_vault(settings: Settings, reason: str, *, cells_lost: bool) -> list[RecoveredLog]:
    """Goes on with an older database, for good; the ledgers that got a new key. With `cells_lost` it makes a new
    high-water file, and refuses when there is one."""
    recovered: list[RecoveredLog] = []
    check_directory(settings)
    if cells_lost:
        HighWater.create(settings.high_water).close()
    try:
        with open_vault(
            settings,
            recovery=lambda opened: recovered.extend(
                recover_logs(opened.vault, opened.high_water, reason, cells_lost=cells_lost)
            ),
        ):
            return recovered
    except BaseException:
        if cells_lost:
            settings.high_water.unlink()  # empty still: it must not pass for one that knows
        raise


def open_database(settings: Settings) -> Database:
    """The database that the settings name."""
    if settings.database_url is not None:
        return open_postgresql(settings.database_url)
    return open_sqlite(settings.database_file)


def check_directory(settings: Settings) -> None:
    """Raises `StartRefused` unless the data directory is one that `initialise` made."""
    directory = settings.data_dir
    if not directory.is_dir():
        raise StartRefused(f"There is no directory {directory}.", f"Run: ledgix-vault init --data {directory}")
    if not settings.key_directory.is_dir():
        raise StartRefused(
            f"{directory} is not a data directory of Ledgix: it has no {settings.key_directory.name}/.",
            f"Run `ledgix-vault init --data {directory}` for a new Vault, or put the directory back from a backup.",
        )
    if settings.database_url is None and not settings.database_file.is_file():
        raise StartRefused(
            f"The database file {settings.database_file} is missing.",
            "Put it back from a backup (see `ledgix-vault backup`), or give the --database-url that this Vault uses.",
        )


def _unlock(settings: Settings) -> Unlock:
    if settings.key_passphrase is not None:
        return Unlock.from_passphrase(settings.key_passphrase.get_secret_value())
    return Unlock.from_file(settings.key_file)


def _new_unlock(settings: Settings) -> Unlock:
    if settings.key_passphrase is not None:
        return Unlock.from_passphrase(settings.key_passphrase.get_secret_value())
    return Unlock.create_file(settings.key_file)


def _active(signing_keys: list[SigningKey]) -> list[SigningKey]:
    return [key for key in signing_keys if key.retired_at is None]


def _token_key(signing_keys: list[SigningKey]) -> str:
    active = [key for key in _active(signing_keys) if key.purpose is Purpose.TOKEN]
    if not active:
        raise StartRefused("The database names no token key.", "It is damaged: put it back from a backup.")
    return active[-1].public.kid


def _take_away(directory: Path, *, keep: bool) -> None:
    for made in directory.iterdir() if directory.is_dir() else ():
        shutil.rmtree(made) if made.is_dir() else made.unlink()
    if not keep:
        shutil.rmtree(directory, ignore_errors=True)
