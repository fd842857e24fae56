"""The log as RFC 6962 section 2.1 defines it: hashes, and the writer's state.

Invariants:

- A leaf is SHA-256(0x00 ‖ event hash), a node SHA-256(0x01 ‖ left ‖ right); an empty tree's root is "".
- Every hash is exactly 32 bytes. Anything else is refused before it is hashed.
- Appending never changes a hash that was there: a full tile, once completed, is final.
- Frontier and right edge say the same thing twice; `Integrator.load` refuses a pair that disagrees.

The hashes stand in `hashes`, proofs in `proofs`; this module gives out their names too.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from typing import Self

from ledgix.errors import FormatError
from ledgix.formats.hashes import HASH_SIZE, TILE_SIZE, TILE_WIDTH, check_hash, fold, leaf_hash, node_hash, split
from ledgix.formats.proofs import (
    ProofReader,
    TileReader,
    consistency_proof,
    inclusion_proof,
    root_at,
    verify_consistency,
    verify_inclusion,
)

__all__ = [
    "HASH_SIZE",
    "TILE_WIDTH",
    "CompactRange",
    "Integrator",
    "ProofReader",
    "Tile",
    "TileReader",
    "consistency_proof",
    "edge_widths",
    "inclusion_proof",
    "leaf_hash",
    "node_hash",
    "root_at",
    "verify_consistency",
    "verify_inclusion",
]


@dataclass(frozen=True, slots=True)
class Tile:
    """256 hashes of one level: `level` counts tiles, so its hashes are 8 × level above the leaves."""

    level: int
    index: int
    data: bytes


class CompactRange:
    """The roots of the perfect subtrees that make up a tree, largest first: all that appending needs."""

    __slots__ = ("_roots", "size")

    def __init__(self) -> None:
        self.size = 0
        self._roots: list[bytes] = []

    @classmethod
    def load(cls, size: int, frontier: bytes) -> Self:
        """The range that had this size and frontier; raises FormatError when they can't belong together."""
        roots = split(frontier)
        if size < 0 or len(roots) != size.bit_count():
            raise FormatError(f"a tree of {size} leaves has {size.bit_count()} frontier hashes, not {len(roots)}")
        loaded = cls()
        loaded.size, loaded._roots = size, roots
        return loaded

    def copy(self) -> Self:
        """An independent range with the same content."""
        twin = type(self)()
        twin.size, twin._roots = self.size, self._roots.copy()
        return twin

    def append(self, leaf: bytes) -> None:
        """Adds one leaf hash at the end."""
        index, node = self.size, check_hash(leaf)
        while index & 1:
            node = sha256(b"\x01" + self._roots.pop() + node).digest()
            index >>= 1
        self._roots.append(node)
        self.size += 1

    @property
    def frontier(self) -> bytes:
        """32 bytes for each bit that is set in the size."""
        return b"".join(self._roots)

    def root(self) -> bytes:
        """The root of the whole tree; `b""` while it is empty."""
        return fold(self._roots) if self._roots else b""

    def root_hex(self) -> str:
        """The root as the wire has it: `""` while the tree is empty."""
        return self.root().hex()


class Integrator(CompactRange):
    """A compact range that also collects the tiles of the log.

    To integrate a batch, append to a `copy()`, store what `take_tiles()` gives, and keep the copy once the store has
    committed: a commit that failed leaves the old one as it was.
    """

    __slots__ = ("_edges", "_full")

    def __init__(self) -> None:
        super().__init__()
        self._edges: list[bytearray] = []
        self._full: list[Tile] = []

    @classmethod
    def load(cls, size: int, frontier: bytes, edges: Iterable[bytes] = ()) -> Self:
        """The integrator of a stored tree; `edges` holds the hashes of the unfinished tile of each level.

        Raises FormatError unless the edges have the lengths that `size` demands and give the frontier.
        """
        loaded = super().load(size, frontier)
        loaded._edges = [bytearray(edge) for edge in edges]
        expected = edge_widths(size)
        if [len(edge) for edge in loaded._edges] != [width * HASH_SIZE for width in expected]:
            raise FormatError(f"the right edge of a tree of {size} leaves has {expected} hashes a level")
        if _frontier(loaded._edges) != loaded._roots:
            raise FormatError("the right edge and the frontier are of different trees")
        return loaded

    def copy(self) -> Self:
        twin = super().copy()
        twin._edges = [edge.copy() for edge in self._edges]
        twin._full = self._full.copy()
        return twin

    def append(self, leaf: bytes) -> None:
        index, node, level = self.size, check_hash(leaf), 0
        self._collect(0, index, node)
        while index & 1:
            node = sha256(b"\x01" + self._roots.pop() + node).digest()
            index >>= 1
            level += 1
            if not level & 7:
                self._collect(level >> 3, index, node)
        self._roots.append(node)
        self.size += 1

    def edges(self) -> list[bytes]:
        """The hashes of the unfinished tile of each tile level, lowest level first; some may be empty."""
        return [bytes(edge) for edge in self._edges]

    def edge(self, level: int) -> bytes:
        """The hashes of the unfinished tile of one level."""
        return bytes(self._edges[level]) if level < len(self._edges) else b""

    def take_tiles(self) -> list[Tile]:
        """The tiles completed since the last call, in the order in which they were completed."""
        taken, self._full = self._full, []
        return taken

    def _collect(self, level: int, index: int, node: bytes) -> None:
        if level == len(self._edges):
            self._edges.append(bytearray())
        edge = self._edges[level]
        edge += node
        if len(edge) == TILE_SIZE:
            self._full.append(Tile(level, index >> 8, bytes(edge)))
            edge.clear()


def edge_widths(size: int) -> list[int]:
    """How many hashes the unfinished tile of each level holds in a tree of `size` leaves."""
    widths = []
    while size:
        widths.append(size % TILE_WIDTH)
        size //= TILE_WIDTH
    return widths


def _frontier(edges: Iterable[bytes | bytearray]) -> list[bytes]:
    """The compact range that the unfinished tiles stand for, largest subtree first."""
    roots: list[bytes] = []
    for edge in edges:
        level = CompactRange()
        for node in split(bytes(edge)):
            level.append(node)
        roots = level._roots + roots
    return roots
