"""Reading a stream of events as whoever follows it does."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from running_vault import Key


class Stream:
    """The events of one open stream; `last_id` is what a browser would remember."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines = lines
        self.last_id = ""
        self.comments = 0

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return self

    def __next__(self) -> dict[str, Any]:
        fields: dict[str, str] = {}
        for line in self._lines:
            name, _, value = line.partition(": ")
            if line:
                fields[name] = value
                continue
            self.last_id = fields.get("id", self.last_id)
            if "data" in fields:
                event: dict[str, Any] = json.loads(fields["data"])
                assert fields["event"] == event["kind"]
                return event
            self.comments += 1
            fields = {}
        raise StopIteration


@contextmanager
def following(key: Key, *, last_id: str = "", **query: Any) -> Iterator[Stream]:
    """An open stream: whatever happens inside the block is told."""
    headers = {"X-Vault-API-Key": key.secret, **({"Last-Event-ID": last_id} if last_id else {})}
    with key.http.stream("GET", "/events", params=query, headers=headers) as response:
        assert response.status_code == 200, response.read()
        assert response.headers["content-type"].startswith("text/event-stream")
        assert response.headers["cache-control"] == "no-store"
        lines = response.iter_lines()
        assert next(lines) == "retry: 1000"  # it has begun
        yield Stream(lines)
