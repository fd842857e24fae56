"""A load generator for one endpoint: keep-alive connections that each wait for their answer. Loopback only.

Runs in a process of its own (`python benchmarks/load.py …`) and prints one JSON object, so that it shares nothing with
what it measures but the machine.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

import uvloop

BODY = json.dumps(
    {
        "tool_name": "stripe_refund",
        "tool_args": {"amount": 45, "currency": "USD", "charge": "ch_3OaB2c", "reason": "duplicate"},
        "agent_id": "support-agent",
        "session_id": "session-41",
        "context": {"facts": {"order_status": "delivered"}},
    }
).encode()
LOOPBACK = "127.0.0.1"
END_OF_HEAD = b"\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Ask:
    """What is asked. `own_headers` are lines of which each request takes the next; it ends with them."""

    path: str
    headers: tuple[str, ...]
    own_headers: Iterator[str]
    body: bytes = BODY


class Connection(asyncio.Protocol):
    """Sends a request, waits for the whole answer, sends the next, until the time is over."""

    def __init__(self, ask: Ask, until: float, took: list[float]) -> None:
        lines = [f"POST {ask.path} HTTP/1.1", f"Host: {LOOPBACK}", "Content-Type: application/json", *ask.headers]
        lines += [f"Content-Length: {len(ask.body)}", ""]
        self._head = "\r\n".join(lines).encode()
        self._ask = ask
        self._until = until
        self._took = took
        self._received = b""
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's own class, of the same shape
        if not self._send():
            self._transport.close()

    def data_received(self, data: bytes) -> None:
        self._received += data
        end = self._received.find(END_OF_HEAD)
        if end < 0:
            return
        head = self._received[:end].lower()
        length = int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0])
        if len(self._received) < end + len(END_OF_HEAD) + length:
            return
        if not head.startswith(b"http/1.1 200"):
            self.done.set_exception(RuntimeError(self._received[:400].decode()))
            self._transport.close()
            return
        self._took.append(time.perf_counter() - self._sent)
        self._received = b""
        if time.perf_counter() >= self._until or not self._send():
            self._transport.close()

    def connection_lost(self, error: Exception | None) -> None:
        if not self.done.done():
            self.done.set_result(None)

    def _send(self) -> bool:
        """Sends the next request; False if there is none."""
        own = next(self._ask.own_headers, None)
        if own is None:
            return False
        self._sent = time.perf_counter()
        self._transport.write(self._head + own.encode() + END_OF_HEAD + self._ask.body)
        return True


async def measure(port: int, ask: Ask, connections: int, seconds: float) -> dict[str, float]:
    """Requests a second and latencies in milliseconds."""
    loop = asyncio.get_running_loop()
    took: list[float] = []
    started = time.perf_counter()
    until = started + seconds
    opened = [
        await loop.create_connection(lambda: Connection(ask, until, took), LOOPBACK, port) for _ in range(connections)
    ]
    await asyncio.gather(*(protocol.done for _, protocol in opened))
    elapsed = time.perf_counter() - started
    took.sort()
    return {
        "requests_per_second": round(len(took) / elapsed, 1),
        "p50_ms": round(statistics.median(took) * 1000, 2),
        "p99_ms": round(took[int(len(took) * 0.99)] * 1000, 2),
    }


def main() -> None:
    """Reads the command line and prints the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--path", required=True)
    parser.add_argument("--api-key", default="")
    parser.add_argument("--header", action="append", default=[])
    parser.add_argument("--body", default=BODY.decode())
    parser.add_argument("--tokens", type=argparse.FileType(), help="a file with one approval token a line")
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=5.0)
    given = parser.parse_args()
    own = (
        (f"Authorization: Bearer {token}" for token in given.tokens.read().split())
        if given.tokens
        else (f"Idempotency-Key: {uuid.uuid4().hex}" for _ in iter(int, 1))
    )
    headers = (*given.header, *([f"X-Vault-API-Key: {given.api_key}"] if given.api_key else ()))
    ask = Ask(given.path, headers, own, given.body.encode())
    print(json.dumps(uvloop.run(measure(given.port, ask, given.connections, given.seconds))))


if __name__ == "__main__":
    main()
