"""Leaf and node hashes of RFC 6962 section 2.1; every hash is 32 raw bytes."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

from ledgix.errors import FormatError

HASH_SIZE = 32
TILE_WIDTH = 256
TILE_SIZE = HASH_SIZE * TILE_WIDTH


def leaf_hash(event_hash: bytes) -> bytes:
    """The leaf of an event."""
    return sha256(b"\x00" + check_hash(event_hash)).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The node above two hashes."""
    return sha256(b"\x01" + check_hash(left) + check_hash(right)).digest()


def check_hash(value: bytes) -> bytes:
    """`value` itself; raises FormatError unless it is 32 bytes."""
    if not isinstance(value, bytes) or len(value) != HASH_SIZE:
        raise FormatError("a hash has 32 bytes")
    return value


def split(hashes: bytes) -> list[bytes]:
    """The 32-byte hashes that stand one after the other in `hashes`."""
    if len(hashes) % HASH_SIZE:
        raise FormatError("hashes have 32 bytes each")
    return [hashes[at : at + HASH_SIZE] for at in range(0, len(hashes), HASH_SIZE)]


def fold(roots: Sequence[bytes]) -> bytes:
    """The root above perfect subtrees that stand side by side, largest first."""
    node = roots[-1]
    for left in reversed(roots[:-1]):
        node = sha256(b"\x01" + left + node).digest()
    return node
