"""The log's hashes and the writer's state, against the RFC's own recursion and the CT reference tree."""

import itertools
import json as stdlib
from base64 import b64decode
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledgix.errors import FormatError
from ledgix.formats.tree import CompactRange, Integrator, edge_widths, leaf_hash, node_hash

LEAVES = [sha256(b"\0" + number.to_bytes(4, "big")).digest() for number in range(70_000)]


def rfc_root(leaves: Sequence[bytes]) -> bytes:
    """MTH of RFC 6962 section 2.1, word by word."""
    if len(leaves) == 1:
        return leaves[0]
    k = 1
    while 2 * k < len(leaves):
        k *= 2
    return sha256(b"\x01" + rfc_root(leaves[:k]) + rfc_root(leaves[k:])).digest()


def _grown(leaves: Sequence[bytes]) -> Integrator:
    tree = Integrator()
    for leaf in leaves:
        tree.append(leaf)
    return tree


@pytest.fixture
def reference(vectors: Path) -> dict[str, Any]:
    found = stdlib.loads((vectors / "rfc6962-ct-reference" / "ct_reference_tree.json").read_text())
    assert isinstance(found, dict)
    return found


def test_ct_reference_tree(reference: dict[str, Any]) -> None:
    leaves = [sha256(b"\0" + bytes.fromhex(data)).digest() for data in reference["leaf_inputs_hex"]]
    levels = reference["node_hashes_hex"]
    assert [leaf.hex() for leaf in leaves] == levels[0]
    for below, above in itertools.pairwise(levels):
        pairs = zip(below[::2], below[1::2], strict=True)
        assert [node_hash(bytes.fromhex(left), bytes.fromhex(right)).hex() for left, right in pairs] == above
    tree = CompactRange()
    for leaf, root in zip(leaves, reference["root_hashes_hex_by_size"][1:], strict=True):
        tree.append(leaf)
        assert tree.root_hex() == root


def test_golden_roots(reference: dict[str, Any]) -> None:
    for size, root in reference["golden_roots_u16le"]["roots_b64"].items():
        leaves = [sha256(b"\0" + number.to_bytes(2, "little")).digest() for number in range(int(size))]
        assert _grown(leaves).root() == b64decode(root)


def test_leaf_is_domain_separated() -> None:
    event = bytes(range(32))
    assert leaf_hash(event) == sha256(b"\0" + event).digest()
    assert node_hash(event, event) == sha256(b"\1" + event + event).digest()


def test_empty_tree_has_the_empty_root() -> None:
    assert CompactRange().root() == b""
    assert CompactRange().root_hex() == ""
    assert Integrator.load(0, b"", []).root_hex() == ""


@pytest.mark.parametrize("bad", [b"", b"x" * 31, b"x" * 33, "x" * 32, bytearray(32), None])
def test_hashes_of_another_length_are_refused(bad: Any) -> None:
    tree = Integrator()
    for refuse in (lambda: leaf_hash(bad), lambda: node_hash(bad, LEAVES[0]), lambda: node_hash(LEAVES[0], bad)):
        with pytest.raises(FormatError):
            refuse()
    with pytest.raises(FormatError):
        tree.append(bad)
    with pytest.raises(FormatError):
        CompactRange().append(bad)
    assert tree.size == 0


def test_every_small_tree_has_the_root_of_the_rfc() -> None:
    tree = Integrator()
    for size in range(1, 300):
        tree.append(LEAVES[size - 1])
        assert tree.root() == rfc_root(LEAVES[:size])
        assert len(tree.frontier) == 32 * size.bit_count()


def test_loading_gives_the_same_tree_at_every_size() -> None:
    tree = Integrator()
    for leaf in LEAVES[:600]:
        copy = Integrator.load(tree.size, tree.frontier, tree.edges())
        assert copy.root() == tree.root()
        assert [len(edge) // 32 for edge in copy.edges()] == edge_widths(tree.size)
        copy.append(leaf)
        tree.append(leaf)
        assert (copy.frontier, copy.edges()) == (tree.frontier, tree.edges())


def test_full_tiles_cover_the_log_once() -> None:
    tree = _grown(LEAVES)
    tiles = tree.take_tiles()
    assert tree.take_tiles() == []
    by_level: dict[int, list[bytes]] = {}
    for tile in tiles:
        found = by_level.setdefault(tile.level, [])
        assert tile.index == len(found)
        assert len(tile.data) == 8192
        found.append(tile.data)
    assert {level: len(found) for level, found in by_level.items()} == {0: 273, 1: 1}
    assert edge_widths(70_000) == [112, 17, 1]
    level_0 = b"".join(by_level[0]) + tree.edge(0)
    assert level_0 == b"".join(LEAVES)
    level_1 = b"".join(by_level[1]) + tree.edge(1)
    assert level_1 == b"".join(rfc_root(LEAVES[at : at + 256]) for at in range(0, 273 * 256, 256))
    assert tree.edge(2) == rfc_root(LEAVES[:65_536])
    assert tree.edge(3) == b""
    assert tree.root() == rfc_root(LEAVES)


def test_a_copy_leaves_the_original_alone() -> None:
    tree = _grown(LEAVES[:255])
    before = (tree.size, tree.frontier, tree.edges(), tree.root())
    copy = tree.copy()
    for leaf in LEAVES[255:600]:
        copy.append(leaf)
    assert len(copy.take_tiles()) == 2
    assert (tree.size, tree.frontier, tree.edges(), tree.root()) == before
    assert tree.take_tiles() == []
    assert copy.root() == rfc_root(LEAVES[:600])


def test_tiles_that_nobody_took_stay_with_the_copy() -> None:
    copy = _grown(LEAVES[:256]).copy()
    assert [tile.index for tile in copy.take_tiles()] == [0]


def test_a_damaged_store_is_refused() -> None:
    tree = _grown(LEAVES[:600])
    size, frontier, edges = tree.size, tree.frontier, tree.edges()
    Integrator.load(size, frontier, edges)
    damaged_edge = [bytes([edges[0][0] ^ 1]) + edges[0][1:], edges[1]]
    for bad_size, bad_frontier, bad_edges in [
        (size + 1, frontier, edges),
        (size - 1, frontier, edges),
        (-1, frontier, edges),
        (size, frontier[:-32], edges),
        (size, frontier[:-1], edges),
        (size, bytes([frontier[0] ^ 1]) + frontier[1:], edges),
        (size, frontier, edges[:1]),
        (size, frontier, [*edges, b""]),
        (size, frontier, [edges[0][:-32], edges[1]]),
        (size, frontier, [edges[0][:-1], edges[1]]),
        (size, frontier, damaged_edge),
    ]:
        with pytest.raises(FormatError):
            Integrator.load(bad_size, bad_frontier, bad_edges)


@given(st.lists(st.binary(min_size=32, max_size=32), min_size=1, max_size=40), st.integers(1, 40))
def test_appending_in_batches_changes_nothing(leaves: list[bytes], batch: int) -> None:
    tree = Integrator()
    for at in range(0, len(leaves), batch):
        grown = tree.copy()
        for leaf in leaves[at : at + batch]:
            grown.append(leaf)
        tree = Integrator.load(grown.size, grown.frontier, grown.edges())
    assert tree.root() == rfc_root(leaves)
