"""WebSockets: refused unless the route allows them, and then for a token, once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from gateway_testing import RunningGateway, Tool, outcome_of, running_gateway
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect
from websockets.sync.server import ServerConnection, serve

from running_vault import Tenant, eventually

CHAT = {"tool": "read_chat", "method": "GET", "path": "/chat/{room}", "upstream": "payments", "websocket": True}
PLAIN = {"tool": "read_plain", "method": "GET", "path": "/plain", "upstream": "payments"}


@dataclass
class Chat:
    """A tool that says everything back, and closes when it is asked to."""

    url: str = ""
    opened: list[ServerConnection] = field(default_factory=list)
    closed: list[int | None] = field(default_factory=list)

    def handle(self, connection: ServerConnection) -> None:
        self.opened.append(connection)
        try:
            for message in connection:
                if message == "close":
                    connection.close(4001, "as asked")
                else:
                    connection.send(message)
        finally:
            self.closed.append(connection.close_code)


@pytest.fixture
def chat() -> Iterator[Chat]:
    chat = Chat()
    with serve(chat.handle, "127.0.0.1", 0, subprotocols=["v2", "v1"]) as server:  # type: ignore[list-item]
        chat.url = f"http://127.0.0.1:{server.socket.getsockname()[1]}"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield chat
        server.shutdown()
        thread.join()


@pytest.fixture
def talking(new_gateway: Callable[..., RunningGateway], chat: Chat) -> RunningGateway:
    return new_gateway(payments={"url": chat.url}, routes=[CHAT, PLAIN])


def opened(gateway: RunningGateway, path: str, token: str | None = None, **more: Any) -> Any:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    url = gateway.url.replace("http", "ws", 1) + path
    return connect(url, additional_headers=headers, compression=None, **more)


def refused(gateway: RunningGateway, path: str, token: str | None = None) -> tuple[int, str]:
    with pytest.raises(InvalidStatus) as error, opened(gateway, path, token):
        pass
    response = error.value.response
    assert response.headers["content-type"] == "application/problem+json"
    import json

    return response.status_code, json.loads(response.body)["code"]


def test_a_token_opens_one_socket(talking: RunningGateway, chat: Chat) -> None:
    token = talking.token("read_chat", {"room": "a"})
    with opened(talking, "/chat/a", token, subprotocols=["v1"]) as socket:
        assert socket.subprotocol == "v1"
        for message in ("hello", b"bytes", "ä" * 1000):
            socket.send(message)
            assert socket.recv(timeout=30) == message
    request = chat.opened[0].request
    assert request is not None
    assert request.headers["Authorization"] == "Bearer the-tools-own-key"
    assert token not in str(request.headers)
    assert refused(talking, "/chat/a", token) == (409, "token_already_consumed")
    assert len(chat.opened) == 1
    eventually(lambda: chat.closed == [1000])
    talking.until_idle()
    assert [(ended.verdict, ended.status) for ended in talking.ended] == [("forwarded", 101), ("refused", 409)]
    assert outcome_of(talking, talking.ended[0].request_id) == "delivered"


def test_the_tool_closes_and_the_caller_learns_why(talking: RunningGateway, chat: Chat) -> None:
    token = talking.token("read_chat", {"room": "a"})
    with opened(talking, "/chat/a", token, subprotocols=["v2"]) as socket:
        socket.send("close")
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv(timeout=30)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 4001


def test_without_a_good_token_nothing_is_opened(talking: RunningGateway, chat: Chat) -> None:
    assert refused(talking, "/chat/a") == (401, "token_missing")
    other = talking.token("read_chat", {"room": "b"})
    assert refused(talking, "/chat/a", other) == (403, "token_args_mismatch")
    assert refused(talking, "/chat/a?x=1", talking.token("read_chat", {"room": "a"})) == (400, "query_unmapped")
    assert refused(talking, "/chat/%2e%2e", other) == (400, "path_ambiguous")
    assert refused(talking, "/elsewhere", other) == (403, "route_unmapped")
    assert refused(talking, "/plain", talking.token("read_plain", {})) == (403, "upgrade_refused")
    assert chat.opened == []
    assert talking.tenant.gateway.consume(other).status_code == 200


def test_a_tool_that_opens_no_socket(tenant: Tenant, tool: Tool, tmp_path: Any) -> None:
    with running_gateway(tenant, tool, tmp_path, routes=[CHAT]) as gateway:
        assert refused(gateway, "/chat/a", gateway.token("read_chat", {"room": "a"})) == (502, "token_spent")
        assert outcome_of(gateway, gateway.until_ended(1)[0].request_id) == "unknown"
