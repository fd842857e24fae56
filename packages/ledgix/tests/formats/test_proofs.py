"""Proofs against the recursion of RFC 6962, exhaustively for small trees; every altered proof must fail."""

import json as stdlib
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledgix.errors import FormatError, VerificationError
from ledgix.formats import tree
from ledgix.formats.tree import ProofReader, verify_consistency, verify_inclusion

LEAVES = [sha256(b"\0" + number.to_bytes(4, "big")).digest() for number in range(70_000)]
SMALL = 66


class Tiles:
    """Every tile of a log, as a store has them: full ones, and the right edge of the whole log."""

    def __init__(self, leaves: Sequence[bytes]) -> None:
        log = tree.Integrator()
        for leaf in leaves:
            log.append(leaf)
        self.full = {(tile.level, tile.index): tile.data for tile in log.take_tiles()}
        self.log = log
        self.reads = 0

    def tile(self, level: int, index: int, width: int) -> bytes:
        self.reads += 1
        assert 0 < width <= 256
        return (self.full.get((level, index)) or self.log.edge(level))[: 32 * width]


def rfc_root(leaves: Sequence[bytes]) -> bytes:
    if len(leaves) == 1:
        return leaves[0]
    k = _split(len(leaves))
    return tree.node_hash(rfc_root(leaves[:k]), rfc_root(leaves[k:]))


def rfc_path(index: int, leaves: Sequence[bytes]) -> list[bytes]:
    """PATH of RFC 6962 section 2.1.1."""
    if len(leaves) == 1:
        return []
    k = _split(len(leaves))
    if index < k:
        return [*rfc_path(index, leaves[:k]), rfc_root(leaves[k:])]
    return [*rfc_path(index - k, leaves[k:]), rfc_root(leaves[:k])]


def rfc_proof(old: int, leaves: Sequence[bytes], whole: bool = True) -> list[bytes]:
    """SUBPROOF of RFC 6962 section 2.1.2."""
    if old == len(leaves):
        return [] if whole else [rfc_root(leaves)]
    k = _split(len(leaves))
    if old <= k:
        return [*rfc_proof(old, leaves[:k], whole), rfc_root(leaves[k:])]
    return [*rfc_proof(old - k, leaves[k:], False), rfc_root(leaves[:k])]


def _split(count: int) -> int:
    k = 1
    while 2 * k < count:
        k *= 2
    return k


@pytest.fixture(scope="module")
def small() -> ProofReader:
    return ProofReader(Tiles(LEAVES[: SMALL - 1]))


@pytest.fixture(scope="module")
def roots() -> list[bytes]:
    return [b""] + [rfc_root(LEAVES[:size]) for size in range(1, SMALL)]


def test_ct_reference_paths(vectors: Path) -> None:
    reference = stdlib.loads((vectors / "rfc6962-ct-reference" / "ct_reference_tree.json").read_text())
    leaves = [bytes.fromhex(leaf) for leaf in reference["node_hashes_hex"][0]]
    roots = [bytes.fromhex(root) for root in reference["root_hashes_hex_by_size"]]
    proofs = ProofReader(Tiles(leaves))
    for case in reference["inclusion"]:
        path = proofs.inclusion(case["index"], case["size"])
        assert [node.hex() for node in path] == case["proof"]
        verify_inclusion(leaves[case["index"]], case["index"], case["size"], path, roots[case["size"]])
    # The consistency proofs that the reference suite lists for this tree.
    for old, new in [(1, 8), (6, 8), (2, 5)]:
        verify_consistency(old, new, roots[old], roots[new], proofs.consistency(old, new))


def test_every_small_inclusion_proof_is_the_rfcs_and_holds(small: ProofReader, roots: list[bytes]) -> None:
    for size in range(1, SMALL):
        assert small.root_at(size) == roots[size]
        for index in range(size):
            path = small.inclusion(index, size)
            assert path == rfc_path(index, LEAVES[:size])
            verify_inclusion(LEAVES[index], index, size, path, roots[size])


def test_every_small_consistency_proof_is_the_rfcs_and_holds(small: ProofReader, roots: list[bytes]) -> None:
    for new in range(1, SMALL):
        for old in range(1, new + 1):
            path = small.consistency(old, new)
            assert path == rfc_proof(old, LEAVES[:new])
            verify_consistency(old, new, roots[old], roots[new], path)


def _altered(path: list[bytes]) -> list[list[bytes]]:
    """The path with each hash corrupted, dropped, doubled, and swapped with its neighbour."""
    found = [[*path, LEAVES[0]], [LEAVES[0], *path]]
    for at, node in enumerate(path):
        flipped = bytes([node[0] ^ 1]) + node[1:]
        found.append([*path[:at], flipped, *path[at + 1 :]])
        found.append([*path[:at], node[:31], *path[at + 1 :]])
        found.append([*path[:at], node + b"\0", *path[at + 1 :]])
        found.append([*path[:at], *path[at + 1 :]])
        found.append([*path[: at + 1], *path[at:]])
        if at:
            found.append([*path[: at - 1], node, path[at - 1], *path[at + 1 :]])
    return found


def test_every_altered_inclusion_proof_fails(small: ProofReader, roots: list[bytes]) -> None:
    for size in range(1, 18):
        for index in range(size):
            leaf, path, root = LEAVES[index], small.inclusion(index, size), roots[size]
            for bad in _altered(path):
                with pytest.raises(VerificationError):
                    verify_inclusion(leaf, index, size, bad, root)
            other = LEAVES[(index + 1) % 65]
            for arguments in [
                (other, index, size, path, root),
                (leaf, index, size, path, roots[size + 1]),
                (leaf, size, size, path, root),
                (leaf, -1, size, path, root),
                (leaf, index + size, size, path, root),
            ]:
                with pytest.raises(VerificationError):
                    verify_inclusion(*arguments)
            for wrong in range(size):
                if wrong != index:
                    with pytest.raises(VerificationError):
                        verify_inclusion(leaf, wrong, size, path, root)


def test_every_altered_consistency_proof_fails(small: ProofReader, roots: list[bytes]) -> None:
    for new in range(2, 18):
        for old in range(1, new):
            path, old_root, new_root = small.consistency(old, new), roots[old], roots[new]
            for bad in _altered(path):
                with pytest.raises(VerificationError):
                    verify_consistency(old, new, old_root, new_root, bad)
            for arguments in [
                (old, new, new_root, new_root, path),
                (old, new, old_root, old_root, path),
                (old + 1, new, old_root, new_root, path),
                (new, old, new_root, old_root, path),
                (old, new, old_root[:12], new_root, path),
                (old, new, old_root, b"", path),
            ]:
                with pytest.raises(VerificationError):
                    verify_consistency(*arguments)


def test_nothing_is_consistent_with_size_zero(roots: list[bytes]) -> None:
    for path in ([], [roots[1]], [roots[5]]):
        with pytest.raises(VerificationError, match="from size 0"):
            verify_consistency(0, 5, roots[1], roots[5], path)
    with pytest.raises(VerificationError):
        verify_consistency(-1, 5, roots[1], roots[5], [])


def test_a_tree_with_itself_has_the_empty_proof(small: ProofReader, roots: list[bytes]) -> None:
    assert small.consistency(5, 5) == []
    verify_consistency(5, 5, roots[5], roots[5], [])
    for arguments in [(5, 5, roots[5], roots[6], []), (5, 5, roots[5], roots[5], [roots[5]])]:
        with pytest.raises(VerificationError):
            verify_consistency(*arguments)


@pytest.mark.parametrize(("index", "size"), [(-1, 5), (5, 5), (6, 5), (0, 0)])
def test_no_proof_of_what_is_not_there(small: ProofReader, index: int, size: int) -> None:
    with pytest.raises(FormatError):
        small.inclusion(index, size)


@pytest.mark.parametrize(("old", "new"), [(0, 5), (6, 5), (-1, 5)])
def test_no_consistency_proof_of_nonsense(small: ProofReader, old: int, new: int) -> None:
    with pytest.raises(FormatError):
        small.consistency(old, new)


@pytest.fixture(scope="module")
def large() -> Tiles:
    return Tiles(LEAVES)


SIZES = st.integers(1, 70_000) | st.sampled_from([255, 256, 257, 511, 512, 65_535, 65_536, 65_537, 65_792, 70_000])


@given(st.data())
def test_old_sizes_prove_from_the_same_tiles(large: Tiles, data: st.DataObject) -> None:
    proofs = ProofReader(large, cache_tiles=data.draw(st.sampled_from([1, 4, 512])))
    new = data.draw(SIZES)
    old = data.draw(st.integers(1, new) | SIZES.filter(lambda size: size <= new))
    index = data.draw(st.integers(0, old - 1))
    old_root, new_root = proofs.root_at(old), proofs.root_at(new)
    verify_inclusion(LEAVES[index], index, old, proofs.inclusion(index, old), old_root)
    verify_inclusion(LEAVES[index], index, new, proofs.inclusion(index, new), new_root)
    verify_consistency(old, new, old_root, new_root, proofs.consistency(old, new))


def test_large_roots_are_the_rfcs(large: Tiles) -> None:
    for size in (255, 256, 257, 1000, 65_536, 70_000):
        assert tree.root_at(size, large) == rfc_root(LEAVES[:size])
    assert tree.root_at(0, large) == b""
    assert tree.inclusion_proof(69_999, 70_000, large) == rfc_path(69_999, LEAVES)
    assert tree.consistency_proof(65_537, 70_000, large) == rfc_proof(65_537, LEAVES)


def test_a_warm_reader_reads_no_tile_again(large: Tiles) -> None:
    proofs = ProofReader(large)
    expected = [proofs.inclusion(index, 70_000) for index in (3, 69_999)]
    large.reads = 0
    assert [proofs.inclusion(index, 70_000) for index in (3, 69_999)] == expected
    assert proofs.inclusion(4, 69_990)
    assert large.reads == 0


def test_a_reader_follows_a_log_that_grows() -> None:
    log = Tiles([])
    proofs = ProofReader(log)
    for size, leaf in enumerate(LEAVES[:600], start=1):
        log.log.append(leaf)
        log.full.update({(tile.level, tile.index): tile.data for tile in log.log.take_tiles()})
        assert proofs.root_at(size) == log.log.root()
    assert proofs.inclusion(300, 600) == rfc_path(300, LEAVES[:600])


def test_a_tile_of_the_wrong_size_is_refused() -> None:
    class Torn:
        def tile(self, level: int, index: int, width: int) -> bytes:
            return bytes(32 * width - 1)

    with pytest.raises(FormatError, match="a tile of 5 hashes has 160 bytes"):
        ProofReader(Torn()).inclusion(0, 5)
