"""Inclusion and consistency proofs (RFC 6962 sections 2.1.1 and 2.1.2; checked as RFC 9162 section 2.1 spells it out).

Invariants:

- A proof for any tree that the log ever was comes from the same tiles; old sizes need nothing of their own.
- A check holds only if every hash is 32 bytes, the path has exactly the length that index and sizes demand, and the
  root comes out. It raises otherwise; it never answers False.
- Consistency from size 0 is refused: everything is consistent with nothing, so such a proof proves nothing.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from hashlib import sha256
from typing import Protocol

from ledgix.errors import FormatError, VerificationError
from ledgix.formats.hashes import HASH_SIZE, TILE_WIDTH, check_hash, fold


class TileReader(Protocol):
    """Where the hashes of a log are."""

    def tile(self, level: int, index: int, width: int) -> bytes:
        """The first `width` hashes of a tile, 32 bytes each.

        256 for a full tile; fewer at the right edge of the tree that is asked about, which for an old size may lie
        inside a tile that is full by now.
        """
        ...


class ProofReader:
    """Makes proofs from tiles and keeps the last `cache_tiles` of them expanded (about 40 KB each). For one thread."""

    def __init__(self, reader: TileReader, cache_tiles: int = 256) -> None:
        self._reader = reader
        self._capacity = cache_tiles
        self._tiles: OrderedDict[tuple[int, int], _Subtrees] = OrderedDict()

    def inclusion(self, index: int, size: int) -> list[bytes]:
        """The path of leaf `index` to the root of the tree of `size` leaves (RFC 6962 section 2.1.1)."""
        if not 0 <= index < size:
            raise FormatError(f"a tree of {size} leaves has no leaf {index}")
        ranges = []
        low, high = 0, size
        while high - low > 1:
            middle = low + _split_point(high - low)
            if index < middle:
                ranges.append((middle, high))
                high = middle
            else:
                ranges.append((low, middle))
                low = middle
        return [self._range_root(low, high, size) for low, high in reversed(ranges)]

    def consistency(self, old: int, new: int) -> list[bytes]:
        """The proof that the tree of `new` leaves extends the one of `old` (RFC 6962 section 2.1.2)."""
        if not 0 < old <= new:
            raise FormatError(f"no consistency proof from {old} to {new}")
        ranges = []
        low, high, whole = 0, new, True
        while high != old:
            middle = low + _split_point(high - low)
            if old <= middle:
                ranges.append((middle, high))
                high = middle
            else:
                ranges.append((low, middle))
                low, whole = middle, False
        if not whole:
            ranges.append((low, high))
        return [self._range_root(low, high, new) for low, high in reversed(ranges)]

    def root_at(self, size: int) -> bytes:
        """The root that the log had at this size; `b""` for 0."""
        return self._range_root(0, size, size) if size else b""

    def _range_root(self, low: int, high: int, size: int) -> bytes:
        """The root over leaves low … high-1, where low is a multiple of the power of two that reaches high."""
        roots = []
        while low < high:
            level = (high - low).bit_length() - 1
            roots.append(self._node(level, low >> level, size))
            low += 1 << level
        return fold(roots)

    def _node(self, level: int, index: int, size: int) -> bytes:
        tile_level, inside = divmod(level, 8)
        tile_index, offset = divmod(index << inside, TILE_WIDTH)
        width = min(TILE_WIDTH, (size >> (8 * tile_level)) - tile_index * TILE_WIDTH)
        key = (tile_level, tile_index)
        tile = self._tiles.get(key)
        if tile is None:
            tile = self._tiles[key] = _Subtrees()
            if len(self._tiles) > self._capacity:
                self._tiles.popitem(last=False)
        else:
            self._tiles.move_to_end(key)
        if tile.width < width:
            tile.extend(self._reader.tile(tile_level, tile_index, width), width)
        return tile.node(inside, offset >> inside)


def inclusion_proof(index: int, size: int, reader: TileReader) -> list[bytes]:
    """One inclusion proof; whoever makes many keeps a ProofReader."""
    return ProofReader(reader).inclusion(index, size)


def consistency_proof(old: int, new: int, reader: TileReader) -> list[bytes]:
    """One consistency proof; whoever makes many keeps a ProofReader."""
    return ProofReader(reader).consistency(old, new)


def root_at(size: int, reader: TileReader) -> bytes:
    """The root of the tree of `size` leaves; `b""` for 0."""
    return ProofReader(reader).root_at(size)


def verify_inclusion(leaf_hash: bytes, index: int, size: int, path: Sequence[bytes], root: bytes) -> None:
    """Returns if the path leads from the leaf to the root (RFC 9162 section 2.1.3.2); raises VerificationError."""
    _check_hashes(leaf_hash, root, *path)
    if not 0 <= index < size:
        raise VerificationError(f"a tree of {size} leaves has no leaf {index}")
    node, at, last = leaf_hash, index, size - 1
    for sibling in path:
        if last == 0:
            raise VerificationError("the inclusion path is too long")
        if at & 1 or at == last:
            node = sha256(b"\x01" + sibling + node).digest()
            while at and not at & 1:
                at, last = at >> 1, last >> 1
        else:
            node = sha256(b"\x01" + node + sibling).digest()
        at, last = at >> 1, last >> 1
    if last:
        raise VerificationError("the inclusion path is too short")
    if node != root:
        raise VerificationError("the inclusion path leads to another root")


def verify_consistency(old_size: int, new_size: int, old_root: bytes, new_root: bytes, path: Sequence[bytes]) -> None:
    """Returns if the new tree extends the old one (RFC 9162 section 2.1.4.2); raises VerificationError."""
    _check_hashes(old_root, new_root, *path)
    if not 0 < old_size <= new_size:
        raise VerificationError(f"nothing can prove consistency from size {old_size} to {new_size}")
    if old_size == new_size:
        if path:
            raise VerificationError("the consistency path of a tree with itself must be empty")
        if old_root != new_root:
            raise VerificationError("two trees of the same size have different roots")
        return
    if not path:
        raise VerificationError("the consistency path is too short")
    # The old root is left out of the path when the old tree is one perfect subtree.
    nodes = [old_root, *path] if old_size & (old_size - 1) == 0 else list(path)
    found_old, found_new = _consistent_roots(old_size, new_size, nodes)
    if found_old != old_root:
        raise VerificationError("the consistency path doesn't give the old root")
    if found_new != new_root:
        raise VerificationError("the consistency path doesn't give the new root")


def _consistent_roots(old_size: int, new_size: int, nodes: list[bytes]) -> tuple[bytes, bytes]:
    """The roots of the old and of the new tree that a path gives."""
    at, last = old_size - 1, new_size - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    old_node = new_node = nodes[0]
    for sibling in nodes[1:]:
        if last == 0:
            raise VerificationError("the consistency path is too long")
        if at & 1 or at == last:
            old_node = sha256(b"\x01" + sibling + old_node).digest()
            new_node = sha256(b"\x01" + sibling + new_node).digest()
            while at and not at & 1:
                at, last = at >> 1, last >> 1
        else:
            new_node = sha256(b"\x01" + new_node + sibling).digest()
        at, last = at >> 1, last >> 1
    if last:
        raise VerificationError("the consistency path is too short")
    return old_node, new_node


class _Subtrees:
    """The perfect subtrees of one tile: of level 0 its hashes, of level 8 its root."""

    __slots__ = ("levels", "width")

    def __init__(self) -> None:
        self.width = 0
        self.levels: list[list[bytes]] = [[] for _ in range(9)]

    def node(self, level: int, index: int) -> bytes:
        return self.levels[level][index]

    def extend(self, hashes: bytes, width: int) -> None:
        """Adds the hashes that a wider view of the same tile brings."""
        if len(hashes) != width * HASH_SIZE:
            raise FormatError(f"a tile of {width} hashes has {width * HASH_SIZE} bytes, not {len(hashes)}")
        self.levels[0] += [hashes[at : at + HASH_SIZE] for at in range(self.width * HASH_SIZE, len(hashes), HASH_SIZE)]
        self.width = width
        for below, level in zip(self.levels, self.levels[1:], strict=False):
            for at in range(2 * len(level), len(below) - 1, 2):
                level.append(sha256(b"\x01" + below[at] + below[at + 1]).digest())


def _split_point(count: int) -> int:
    """The largest power of two below `count` (RFC 6962 section 2.1)."""
    return 1 << ((count - 1).bit_length() - 1)


def _check_hashes(*hashes: bytes) -> None:
    for value in hashes:
        try:
            check_hash(value)
        except FormatError as error:
            raise VerificationError(str(error)) from None
