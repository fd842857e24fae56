"""The approval in hand: visible to the guarded code, and to nothing else.

It travels in a context variable, so threads and tasks never see each other's approval; a task that guarded code starts
inherits it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from ledgix.client.answers import Clearance

_in_hand: ContextVar[Clearance | None] = ContextVar("ledgix_clearance", default=None)


def current_clearance() -> Clearance | None:
    """The approval under which this code runs; None outside guarded code."""
    return _in_hand.get()


def current_token() -> str | None:
    """The approval token to pass on to whoever checks it, such as a gateway; None outside guarded code."""
    clearance = _in_hand.get()
    return clearance.token if clearance is not None else None


@contextmanager
def in_hand(clearance: Clearance) -> Iterator[Clearance]:
    """Code in this block runs under `clearance`; raises, before the block, unless it is an approval."""
    if not clearance.is_approved:
        raise clearance.refusal()
    before = _in_hand.set(clearance)
    try:
        yield clearance
    finally:
        _in_hand.reset(before)
