"""A language model's server for tests: real HTTP on loopback, both protocols, and every way of answering badly."""

from __future__ import annotations

import contextlib
import gzip
import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

API_KEY = "sk-test-1234"
MODEL = "fake-model"


class Mode(StrEnum):
    """How the server behaves, whatever the model says."""

    NORMAL = "normal"
    HANGS = "hangs"
    DRIPS = "drips"
    DROPS = "drops the connection"
    DROPS_AT_ONCE = "drops the connection at once"
    FAILS = "status 500"
    IS_BUSY = "status 429"
    HUGE = "huge"
    ENDLESS = "endless"
    REDIRECTS = "redirects"
    COMPRESSES = "compresses"
    NOT_JSON = "not JSON"
    REFUSES = "refuses"
    CUT_OFF = "cut off"
    TWO_ANSWERS = "two answers"
    REPEATS_MEMBERS = "duplicate keys in the envelope"


@dataclass(frozen=True)
class Asked:
    """One prompt as it arrived."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]
    system: str
    user: str
    name: str

    @property
    def is_opponent(self) -> bool:
        return self.name == "record_objection"

    @property
    def boundary(self) -> str:
        match = re.match(r"The marker is ([0-9a-f]{32})\.\n", self.user)
        assert match
        return match[1]

    def blocks(self) -> dict[str, str]:
        """What a careful reader takes for the data: name → content."""
        marker = re.escape(self.boundary)
        pattern = rf"^--- {marker} begin ([^\n]+)\n(.*?)\n--- {marker} end \1$"
        return dict(re.findall(pattern, self.user, re.MULTILINE | re.DOTALL))

    @property
    def call(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.blocks()["call"])
        return found

    @property
    def excerpt(self) -> str:
        return self.blocks()["excerpt E1"]


Said = dict[str, Any] | str
Brain = Callable[[Asked], Said]


def allows(asked: Asked) -> Said:
    """Nothing against it, on both sides."""
    if asked.is_opponent:
        return {"objection": False, "reason": "I find nothing against it.", "quotes": []}
    return verdict("allow", "The policy permits such a call.", asked.excerpt)


def denies(asked: Asked) -> Said:
    if asked.is_opponent:
        return {
            "objection": True,
            "reason": "The policy forbids it.",
            "quotes": [{"excerpt": "E1", "text": asked.excerpt}],
        }
    return verdict("deny", "The policy forbids it.", asked.excerpt)


def objects(asked: Asked) -> Said:
    """The judge allows, its opponent objects with a quote that stands in the text."""
    return denies(asked) if asked.is_opponent else allows(asked)


def doubts(asked: Asked) -> Said:
    return {"verdict": "unsure", "reason": "The text doesn't say.", "quotes": []}


def verdict(said: str, reason: str, *quotes: str) -> Said:
    return {"verdict": said, "reason": reason, "quotes": [{"excerpt": "E1", "text": text} for text in quotes]}


class FakeModel:
    """The server. `brain` says what the model answers, `mode` how the server delivers it; `asked` is all it heard."""

    def __init__(self) -> None:
        self.brain: Brain = allows
        self.mode = Mode.NORMAL
        self.asked: list[Asked] = []
        self.before: Callable[[], None] = lambda: None
        self.over = threading.Event()
        fake = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                fake.answer(self)

            def do_GET(self) -> None:  # where a redirect would lead
                raise AssertionError("somebody followed a redirect")

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self._server.server_address[1]}"

    def settings(self, provider: str = "openai", **more: Any) -> dict[str, Any]:
        """What a tenant sets to be judged by this server."""
        path = "/v1" if provider == "openai" else ""
        found = {"provider": provider, "base_url": f"http://{self.host}{path}", "model": MODEL, "api_key": API_KEY}
        return {"enabled": True, **found, **more}

    def close(self) -> None:
        self.over.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        body = json.loads(handler.rfile.read(int(handler.headers["Content-Length"])))
        read = {"/v1/chat/completions": _read_openai, "/v1/messages": _read_anthropic}[handler.path]
        headers = {name.lower(): value for name, value in handler.headers.items()}
        asked = Asked(handler.path, headers, body, *read(body, headers))
        self.asked.append(asked)
        self.before()
        wrap = _openai if handler.path == "/v1/chat/completions" else _anthropic
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # the other side had enough
            self._deliver(handler, wrap(self.brain(asked), asked.name, self.mode))
        handler.close_connection = True

    def _deliver(self, handler: BaseHTTPRequestHandler, raw: bytes) -> None:
        match self.mode:
            case Mode.HANGS:
                self.over.wait(30)
            case Mode.DROPS_AT_ONCE:
                pass
            case Mode.DRIPS:
                _head(handler, 200, len(raw))
                for sign in raw:
                    handler.wfile.write(bytes([sign]))
                    if self.over.wait(0.02):
                        return
            case Mode.DROPS:
                _head(handler, 200, len(raw))
                handler.wfile.write(raw[:20])
            case Mode.FAILS | Mode.IS_BUSY:
                _head(handler, 500 if self.mode is Mode.FAILS else 429, len(raw))
                handler.wfile.write(raw)
            case Mode.HUGE:
                raw = raw[:-1] + b" " * 70_000 + b"}"
                _head(handler, 200, len(raw))
                handler.wfile.write(raw)
            case Mode.ENDLESS:
                _head(handler, 200, None)
                while not self.over.is_set():
                    handler.wfile.write(b" " * 65_536)
            case Mode.REDIRECTS:
                _head(handler, 307, 0, location=f"http://{self.host}/elsewhere")
            case Mode.COMPRESSES:
                raw = gzip.compress(raw)
                _head(handler, 200, len(raw), content_encoding="gzip")
                handler.wfile.write(raw)
            case Mode.NOT_JSON:
                _head(handler, 200, 15)
                handler.wfile.write(b"<html>hi</html>")
            case _:
                _head(handler, 200, len(raw))
                handler.wfile.write(raw)


def _head(handler: BaseHTTPRequestHandler, status: int, length: int | None, **headers: str) -> None:
    handler.send_response(status)
    handler.send_header("Content-Type", "application/json")
    if length is not None:
        handler.send_header("Content-Length", str(length))
    handler.send_header("Connection", "close")
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()


def _read_openai(body: dict[str, Any], headers: dict[str, str]) -> tuple[str, str, str]:
    assert headers["authorization"] == f"Bearer {API_KEY}"
    system, user = body["messages"]
    assert (system["role"], user["role"]) == ("system", "user")
    form = body["response_format"]
    assert (form["type"], form["json_schema"]["strict"]) == ("json_schema", True)
    _check_schema(form["json_schema"]["schema"])
    return system["content"], user["content"], form["json_schema"]["name"]


def _read_anthropic(body: dict[str, Any], headers: dict[str, str]) -> tuple[str, str, str]:
    assert (headers["x-api-key"], headers["anthropic-version"]) == (API_KEY, "2023-06-01")
    assert body["max_tokens"] > 0
    (user,), (tool,) = body["messages"], body["tools"]
    assert body["tool_choice"] == {"type": "tool", "name": tool["name"], "disable_parallel_tool_use": True}
    _check_schema(tool["input_schema"])
    return body["system"], user["content"], tool["name"]


def _check_schema(schema: dict[str, Any]) -> None:
    """What the strict modes demand: every member required, no further ones."""
    if schema["type"] == "object":
        assert schema["additionalProperties"] is False
        assert sorted(schema["required"]) == sorted(schema["properties"])
        for member in schema["properties"].values():
            _check_schema(member)
    if schema["type"] == "array":
        _check_schema(schema["items"])


def _openai(said: Said, name: str, mode: Mode) -> bytes:
    content = said if isinstance(said, str) else json.dumps(said)
    message: dict[str, Any] = {"role": "assistant", "content": content, "refusal": None}
    if mode is Mode.REFUSES:
        message |= {"content": None, "refusal": "I can't help with that."}
    choice = {"index": 0, "message": message, "finish_reason": "length" if mode is Mode.CUT_OFF else "stop"}
    answer = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1780000000,
        "model": MODEL,
        "choices": [choice, choice] if mode is Mode.TWO_ANSWERS else [choice],
        "usage": {"prompt_tokens": 900, "completion_tokens": 40, "total_tokens": 940},
    }
    return _envelope(answer, mode)


def _anthropic(said: Said, name: str, mode: Mode) -> bytes:
    block: dict[str, Any] = {"type": "tool_use", "id": "toolu_1", "name": name, "input": said}
    blocks = [block, block] if mode is Mode.TWO_ANSWERS else [block]
    if isinstance(said, str):
        blocks = [{"type": "text", "text": said}, *blocks]
    reasons = {Mode.REFUSES: "refusal", Mode.CUT_OFF: "max_tokens"}
    answer = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": MODEL,
        "content": blocks,
        "stop_reason": reasons.get(mode, "tool_use"),
        "stop_sequence": None,
        "usage": {"input_tokens": 900, "output_tokens": 40},
    }
    return _envelope(answer, mode)


def _envelope(answer: dict[str, Any], mode: Mode) -> bytes:
    raw = json.dumps(answer).encode()
    return raw[:-1] + b', "id": "again"}' if mode is Mode.REPEATS_MEMBERS else raw


@contextmanager
def fake_model() -> Iterator[FakeModel]:
    """A fresh server, gone afterwards."""
    model = FakeModel()
    try:
        yield model
    finally:
        model.close()
