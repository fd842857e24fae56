"""Answers stream: the caller sees each part when the tool sends it, and the tool learns that the caller left."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from gateway_testing import BODY, REFUND, RunningGateway

from running_vault import eventually


@contextmanager
def event_stream() -> Iterator[tuple[str, threading.Event, threading.Event]]:
    """A server that sends one event, waits, sends another one, and notices when it is left."""
    go_on, left = threading.Event(), threading.Event()

    def serve(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(65536)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n")
            go_on.wait(60)
            connection.sendall(b"data: 2\n\n")
            if connection.recv(1) == b"":
                left.set()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener,))
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", go_on, left
        go_on.set()
    thread.join()


def test_parts_come_one_by_one_until_the_caller_leaves(new_gateway: Callable[..., RunningGateway]) -> None:
    with event_stream() as (url, go_on, left):
        gateway = new_gateway(payments={"url": url})
        head = f"POST {REFUND} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 13\r\n"
        with socket.create_connection(("127.0.0.1", gateway.port), timeout=30) as caller:
            caller.sendall(f"{head}Authorization: Bearer {gateway.token()}\r\n\r\n".encode() + BODY)
            read_until(caller, b"data: 1\n\n")
            go_on.set()
            read_until(caller, b"data: 2\n\n")
        assert left.wait(30)
        gateway.until_idle()
        assert "the caller left" in gateway.ended[0].detail
        assert eventually(lambda: gateway.current.gateway.outcomes.recorded) == 1


def read_until(connection: socket.socket, wanted: bytes) -> None:
    found = b""
    while wanted not in found:
        part = connection.recv(65536)
        assert part, found
        found += part
