"""Effects that fail on demand, each in both ways: lost, and stored although it failed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import StrEnum

from sqlalchemy import Connection

from ledgix_vault.errors import Unavailable
from ledgix_vault.store.high_water import Cell, HighWater


class Fault(StrEnum):
    LOST = "lost"
    STORED = "stored although it failed"


class Crash(Exception):
    """The process ends here, as far as a test can make it."""


class Commit:
    """The writer's COMMIT. `following` holds the faults of the next ones, None for one that is to succeed."""

    def __init__(self) -> None:
        self.following: list[Fault | None] = []
        self.before: Callable[[], None] = lambda: None
        self.count = 0

    def fail(self, fault: Fault, *, after: int = 0) -> None:
        """Fails one COMMIT, the next or the one `after` so many that succeed."""
        self.following = [*[None] * after, fault]

    def __call__(self, connection: Connection) -> None:
        fault = self.following.pop(0) if self.following else None
        self.count += 1
        self.before()
        if fault is Fault.LOST:
            raise OSError("the disk went away before COMMIT")
        connection.commit()
        if fault is Fault.STORED:
            raise OSError("the answer to COMMIT was lost")


class Cells:
    """The high-water cells. `next` is the fault of the next move; an exception instance is raised as it is."""

    def __init__(self, real: HighWater) -> None:
        self.real = real
        self.next: Fault | None = None
        self.crash: Fault | None = None

    def read(self, key_id: str) -> Cell | None:
        return self.real.read(key_id)

    def advance(self, old: Cell | None, new: Cell) -> None:
        self.advance_all([(old, new)])

    def advance_all(self, moves: Iterable[tuple[Cell | None, Cell]]) -> None:
        fault, self.next = self.next, None
        crash, self.crash = self.crash, None
        if crash is Fault.LOST:
            raise Crash("before the swap")
        if fault is Fault.LOST:
            raise Unavailable("the file went away before the swap")
        self.real.advance_all(moves)
        if crash is Fault.STORED:
            raise Crash("after the swap, before anything was published")
        if fault is Fault.STORED:
            raise Unavailable("the answer to the swap was lost")
