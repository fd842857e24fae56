"""The last checkpoint that this Vault signed for each log, kept outside the database and its backups.

- A cell moves forward only: neither its checkpoint nor its tree size ever goes down, and one size never gets two roots.
- A move is a compare-and-swap: of two that start from the same cell one wins, in threads and in processes.
- A move that returned is durable. One that raised Unavailable may have happened: read the cell again.

So a database that was put back to an older state is seen at start: it must still extend the cell. One SQLite file
with a rollback journal that is truncated, not a WAL: several processes may write it, and it is one file to copy.
"""

from __future__ import annotations

import contextlib
import tempfile
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from ledgix.formats.checkpoints import Checkpoint
from ledgix_vault.errors import HighWaterConflict, StartRefused, Unavailable
from ledgix_vault.files import create_private_file
from ledgix_vault.store.dbapi import sqlite

APPLICATION_ID = 0x4C475857  # "LGXW", so that `file` and we can tell it from any other database
FORMAT = 1
WAIT_FOR_OTHERS = 5.0  # seconds until a writer in another process must be done

_SCHEMA = f"""
CREATE TABLE cell (
  key_id          TEXT PRIMARY KEY NOT NULL,
  checkpoint_id   INTEGER NOT NULL CHECK (checkpoint_id > 0),
  tree_size       INTEGER NOT NULL CHECK (tree_size > 0),
  root_hash       TEXT NOT NULL CHECK (length(root_hash) = 64),
  checkpoint_hash TEXT NOT NULL CHECK (length(checkpoint_hash) = 64)
) STRICT;
CREATE TRIGGER cell_never_back BEFORE UPDATE ON cell
WHEN NEW.key_id <> OLD.key_id OR NEW.checkpoint_id <= OLD.checkpoint_id OR NEW.tree_size < OLD.tree_size
  OR (NEW.tree_size = OLD.tree_size AND NEW.root_hash <> OLD.root_hash)
BEGIN SELECT RAISE(ABORT, 'a high-water cell only moves forward'); END;
CREATE TRIGGER cell_stays BEFORE DELETE ON cell
BEGIN SELECT RAISE(ABORT, 'a high-water cell only moves forward'); END;
PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = {FORMAT};
"""
_READ = "SELECT key_id, checkpoint_id, tree_size, root_hash, checkpoint_hash FROM cell WHERE key_id = ?"
_READ_ALL = "SELECT key_id, checkpoint_id, tree_size, root_hash, checkpoint_hash FROM cell ORDER BY key_id"
_PUT = """
INSERT INTO cell (key_id, checkpoint_id, tree_size, root_hash, checkpoint_hash) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (key_id) DO UPDATE SET checkpoint_id = excluded.checkpoint_id, tree_size = excluded.tree_size,
  root_hash = excluded.root_hash, checkpoint_hash = excluded.checkpoint_hash
"""


@dataclass(frozen=True, slots=True)
class Cell:
    """A log's last signed checkpoint; `key_id` is the log's identity, hashes are hex."""

    key_id: str
    checkpoint_id: int
    tree_size: int
    root_hash: str
    checkpoint_hash: str

    @classmethod
    def of(cls, checkpoint: Checkpoint) -> Cell:
        """The cell that this checkpoint becomes."""
        return cls(
            key_id=checkpoint.signer_key_id,
            checkpoint_id=checkpoint.checkpoint_id,
            tree_size=checkpoint.tree_size,
            root_hash=checkpoint.root_hash,
            checkpoint_hash=checkpoint.checkpoint_hash,
        )

    def may_follow(self, old: Cell | None) -> bool:
        """Whether the cell may move from `old` to this."""
        if old is None:
            return True
        return (
            self.key_id == old.key_id
            and self.checkpoint_id > old.checkpoint_id
            and (self.tree_size > old.tree_size or (self.tree_size, self.root_hash) == (old.tree_size, old.root_hash))
        )


class HighWater:
    """The cells of one file. Threads may share it; each call takes its turn."""

    def __init__(self, connection: sqlite.Connection, path: Path) -> None:
        self._connection = connection
        self._path = path
        self._turn = threading.Lock()

    @classmethod
    def create(cls, path: Path) -> HighWater:
        """Make an empty file (mode 0600), whole and durable on return; refuses one that is there."""
        try:
            create_private_file(path, _empty_database())
        except FileExistsError:
            raise StartRefused(
                f"There is a high-water file {path} already.",
                "It guards another Vault's ledger, so it isn't replaced. Set VAULT_HIGH_WATER to another place.",
            ) from None
        except OSError as error:
            raise StartRefused(
                f"The high-water file {path} can't be made: {error.strerror}.",
                "Make its directory, writable for the user that runs the Vault, or set VAULT_HIGH_WATER.",
            ) from error
        return cls.open(path)

    @classmethod
    def open(cls, path: Path) -> HighWater:
        """The file that `create` made. A missing one is refused: without it a restored backup could sign a second
        history."""
        _must_exist(path)
        with _refusing(path):
            connection = _connect(path)
        try:
            with _refusing(path):
                _check(connection, path)
        except StartRefused:
            connection.close()
            raise
        return cls(connection, path)

    def read(self, key_id: str) -> Cell | None:
        """The log's cell, None before its first checkpoint."""
        with self._turn, _answering():
            return self._read(key_id)

    def all(self) -> list[Cell]:
        """Every cell, by key_id."""
        with self._turn, _answering():
            rows = self._connection.execute(_READ_ALL).fetchall()
        return [Cell(*row) for row in rows]

    def advance(self, old: Cell | None, new: Cell) -> None:
        """Move one cell; durable on return. HighWaterConflict if it isn't at `old` or `new` doesn't lie ahead."""
        self.advance_all([(old, new)])

    def advance_all(self, moves: Iterable[tuple[Cell | None, Cell]]) -> None:
        """Move several logs' cells with one sync to disk: all of them or, if one conflicts, none."""
        with self._turn, _answering():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                for old, new in moves:
                    self._move(old, new)
                self._connection.execute("COMMIT")
            except BaseException:
                with contextlib.suppress(sqlite.Error):  # a failed COMMIT may have ended the transaction itself
                    self._connection.execute("ROLLBACK")
                raise

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        with self._turn:
            self._connection.close()

    def __repr__(self) -> str:
        return f"HighWater({str(self._path)!r})"

    def _read(self, key_id: str) -> Cell | None:
        row = self._connection.execute(_READ, (key_id,)).fetchone()
        return None if row is None else Cell(*row)

    def _move(self, old: Cell | None, new: Cell) -> None:
        found = self._read(new.key_id)
        if found != old:
            at = "no checkpoint" if found is None else f"checkpoint {found.checkpoint_id}, size {found.tree_size}"
            raise HighWaterConflict(f"The high-water cell of log {new.key_id} is at {at}, not where it was left.")
        if not new.may_follow(found):
            raise HighWaterConflict(
                f"Checkpoint {new.checkpoint_id}, size {new.tree_size} of log {new.key_id} doesn't lie ahead of its "
                "high-water cell."
            )
        self._connection.execute(
            _PUT, (new.key_id, new.checkpoint_id, new.tree_size, new.root_hash, new.checkpoint_hash)
        )


def read_cells(path: Path) -> list[Cell]:
    """Every cell, by key_id, for somebody who only looks; raises `StartRefused` when the file can't be read."""
    _must_exist(path)
    # mode=rw and only reading: after a crash SQLite puts the last whole state back before it answers.
    with _refusing(path), contextlib.closing(sqlite.connect(f"file:{quote(str(path))}?mode=rw", uri=True)) as file:
        _check_kind(file, path)
        return [Cell(*row) for row in file.execute(_READ_ALL)]


def _must_exist(path: Path) -> None:
    if not path.is_file():
        raise StartRefused(
            f"The high-water file {path} is missing.",
            "It holds the last signed checkpoint of each log and isn't part of backups. Set VAULT_HIGH_WATER to "
            "its place, or put it back.",
        )


def _empty_database() -> bytes:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, "empty.db")
        with contextlib.closing(sqlite.connect(path)) as connection:
            connection.executescript(_SCHEMA)
        return path.read_bytes()


def _connect(path: Path) -> sqlite.Connection:
    return sqlite.connect(path, timeout=WAIT_FOR_OTHERS, isolation_level=None, check_same_thread=False)


def _check_kind(connection: sqlite.Connection, path: Path) -> None:
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if application != APPLICATION_ID:
        raise StartRefused(
            f"The file {path} isn't a high-water file.", "Set VAULT_HIGH_WATER to the right one, or put it back."
        )
    if version != FORMAT:
        raise StartRefused(
            f"The high-water file {path} has format {version}; this Vault knows {FORMAT}.",
            "Run the version of the Vault that wrote it, or a later one.",
        )


def _check(connection: sqlite.Connection, path: Path) -> None:
    _check_kind(connection, path)
    (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if verdict != "ok":
        raise _damaged(path)
    connection.execute("PRAGMA journal_mode = TRUNCATE")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA fullfsync = 1")
    connection.execute("BEGIN IMMEDIATE")  # learn now, not at the first checkpoint, whether it can be written
    connection.execute("ROLLBACK")


def _damaged(path: Path) -> StartRefused:
    return StartRefused(
        f"The high-water file {path} is damaged or no SQLite database.",
        "Keep it, and put back a good copy. Signing without it could give the ledger a second history.",
    )


@contextlib.contextmanager
def _refusing(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite.OperationalError as error:
        raise StartRefused(
            f"The high-water file {path} can't be used: {error}.",
            "It and its directory must be writable for the user that runs the Vault, on a local disk with space left.",
        ) from error
    except sqlite.DatabaseError as error:
        raise _damaged(path) from error


@contextlib.contextmanager
def _answering() -> Iterator[None]:
    try:
        yield
    except sqlite.Error as error:
        raise Unavailable(f"The high-water file can't be used right now: {error}.") from error
