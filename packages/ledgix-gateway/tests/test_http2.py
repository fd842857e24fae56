"""A tool that speaks HTTP/2 without TLS, by prior knowledge: a small server on the h2 library."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import h2.config
import h2.connection
import h2.events
import pytest
from gateway_testing import BODY, REFUND, RunningGateway, code, outcome_of


@dataclass
class Http2Tool:
    url: str = ""
    headers: list[dict[str, str]] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    resets: bool = False
    open: dict[asyncio.Task[None], asyncio.StreamWriter] = field(default_factory=dict)

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.open[task] = writer
        await self.serve(reader, writer)

    async def aclose(self) -> None:
        for writer in self.open.values():
            writer.close()
        await asyncio.gather(*self.open)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding="utf-8"))
        connection.initiate_connection()
        writer.write(connection.data_to_send())
        bodies: dict[int, bytes] = {}
        while data := await reader.read(65536):
            for event in connection.receive_data(data):
                match event:
                    case h2.events.RequestReceived():
                        self.headers.append(dict(event.headers))
                        bodies[event.stream_id] = b""
                    case h2.events.DataReceived():
                        bodies[event.stream_id] += event.data
                        connection.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                    case h2.events.StreamEnded():
                        self.bodies.append(bodies[event.stream_id])
                        self._answer(connection, event.stream_id)
            writer.write(connection.data_to_send())
        writer.close()

    def _answer(self, connection: h2.connection.H2Connection, stream: int) -> None:
        if self.resets:
            connection.reset_stream(stream)
            return
        connection.send_headers(stream, [(":status", "201"), ("x-a", "1"), ("x-a", "2")])
        connection.send_data(stream, b"over h2", end_stream=True)


@pytest.fixture
def http2_tool() -> Iterator[Http2Tool]:
    tool = Http2Tool()
    stop, ready = asyncio.Event(), threading.Event()
    loops: list[asyncio.AbstractEventLoop] = []
    listener = socket.create_server(("127.0.0.1", 0))
    tool.url = f"http://127.0.0.1:{listener.getsockname()[1]}"

    async def run() -> None:
        loops.append(asyncio.get_running_loop())
        server = await asyncio.start_server(tool.accept, sock=listener)
        ready.set()
        await stop.wait()
        server.close()
        await tool.aclose()

    thread = threading.Thread(target=lambda: asyncio.run(run()))
    thread.start()
    ready.wait()
    yield tool
    loops[0].call_soon_threadsafe(stop.set)
    thread.join()


def test_a_call_over_http2(new_gateway: Callable[..., RunningGateway], http2_tool: Http2Tool) -> None:
    gateway = new_gateway(payments={"url": f"{http2_tool.url}/api", "http2": True})
    token = gateway.token()
    answer = gateway.refund(token)
    assert (answer.status_code, answer.content) == (201, b"over h2")
    assert answer.headers.get_list("x-a") == ["1", "2"]
    (headers,) = http2_tool.headers
    assert (headers[":method"], headers[":path"]) == ("POST", f"/api{REFUND}")
    assert headers["authorization"] == "Bearer the-tools-own-key"
    assert headers["x-ledgix-request-id"] == answer.headers["x-ledgix-request-id"]
    assert "x-ledgix-token" not in headers
    assert "connection" not in headers
    assert http2_tool.bodies == [BODY]


def test_the_target_is_sent_as_it_came(new_gateway: Callable[..., RunningGateway], http2_tool: Http2Tool) -> None:
    gateway = new_gateway(payments={"url": http2_tool.url, "http2": True})
    token = gateway.token("read_charges", {"q": "a b'c", "tag": ["x|y"]})
    answer = gateway.raw(
        b"GET /v1/charges?q=a%20b'c&tag=x%7Cy HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
        b"Authorization: Bearer " + token.encode() + b"\r\n\r\n"
    )
    assert answer.startswith(b"HTTP/1.1 201")
    assert http2_tool.headers[0][":path"] == "/v1/charges?q=a%20b'c&tag=x%7Cy"


def test_a_stream_that_is_reset(new_gateway: Callable[..., RunningGateway], http2_tool: Http2Tool) -> None:
    http2_tool.resets = True
    gateway = new_gateway(payments={"url": http2_tool.url, "http2": True})
    answer = gateway.refund(gateway.token())
    assert (answer.status_code, code(answer)) == (502, "token_spent")
    assert outcome_of(gateway, answer.json()["request_id"]) == "unknown"
    assert len(http2_tool.bodies) == 1


def test_a_tool_without_http2(new_gateway: Callable[..., RunningGateway]) -> None:
    gateway = new_gateway(payments={"url": "http://127.0.0.1:9", "http2": True})
    answer = gateway.refund(gateway.token())
    assert (answer.status_code, code(answer)) == (502, "token_spent")
    assert outcome_of(gateway, answer.json()["request_id"]) == "refused"
