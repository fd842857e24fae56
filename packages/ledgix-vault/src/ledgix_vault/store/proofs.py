"""Proofs over stored tiles, with the tiles that were used last kept expanded."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from sqlalchemy import Connection

from ledgix.formats.proofs import ProofReader
from ledgix_vault.store.logs import StoredTiles

if TYPE_CHECKING:
    from ledgix_vault.store.store import Published


class LogProofs:
    """A proof reader for each log. Threads may share it: each log's reader serves one at a time."""

    def __init__(self) -> None:
        self._logs: dict[str, _Log] = {}
        self._turn = threading.Lock()

    def of(self, connection: Connection, tenant_id: str, published: Published) -> BoundProofs:
        """The proofs of one log, read through `connection`, as far as `published` reaches."""
        with self._turn:
            log = self._logs.setdefault(tenant_id, _Log())
        tiles = StoredTiles(connection, tenant_id, published.checkpoint.tree_size, published.edges)
        return BoundProofs(log, tiles)


class _Log:
    """Hashes never change once they are in the tree, so a cached tile serves every later size."""

    def __init__(self) -> None:
        self.turn = threading.Lock()
        self.tiles: StoredTiles | None = None
        self.reader = ProofReader(self)

    def tile(self, level: int, index: int, width: int) -> bytes:
        assert self.tiles is not None
        return self.tiles.tile(level, index, width)


class BoundProofs:
    """The proofs of one log through one connection."""

    def __init__(self, log: _Log, tiles: StoredTiles) -> None:
        self._log = log
        self._tiles = tiles

    def inclusion(self, leaf_index: int, tree_size: int) -> list[bytes]:
        """See `ProofReader.inclusion`."""
        with self._log.turn:
            self._log.tiles = self._tiles
            return self._log.reader.inclusion(leaf_index, tree_size)

    def consistency(self, old_size: int, new_size: int) -> list[bytes]:
        """See `ProofReader.consistency`."""
        with self._log.turn:
            self._log.tiles = self._tiles
            return self._log.reader.consistency(old_size, new_size)
