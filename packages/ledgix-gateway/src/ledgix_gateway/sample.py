"""One request from a file, as the gateway would read it: for `check --request`."""

from __future__ import annotations

from typing import Any

import httptools

from ledgix.formats import json as exact
from ledgix_gateway.config.config import Config
from ledgix_gateway.errors import ConfigError, Refusal
from ledgix_gateway.inbound import Inbound
from ledgix_gateway.routes.arguments import refuse_unfit_body
from ledgix_gateway.routes.call import Call


class _Request:
    """What the parser finds; its names are the parser's."""

    def __init__(self) -> None:
        self.target = b""
        self.headers: list[tuple[bytes, bytes]] = []
        self.body = b""
        self.is_complete = False

    def on_url(self, url: bytes) -> None:
        self.target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name, value))

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        self.is_complete = True


def read_sample(raw: bytes) -> Inbound:
    """The request in a file of HTTP/1.1. Lines may end as they do in text files, and a missing Content-Length is added:
    what the file says is meant, not how it is framed. Raises ConfigError or Refusal."""
    head, _, body = raw.replace(b"\r\n", b"\n").partition(b"\n\n")
    lines = [line for line in head.split(b"\n") if not line.lower().startswith(b"content-length:")]
    if body := body.strip(b"\n"):
        lines.append(b"Content-Length: %d" % len(body))
    found: Any = _Request()
    parser = httptools.HttpRequestParser(found)
    try:
        parser.feed_data(b"\r\n".join(lines) + b"\r\n\r\n" + body)
    except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
        raise ConfigError("request", f"is no HTTP/1.1 request: {error}") from None
    if not found.is_complete:
        raise ConfigError("request", "is no whole HTTP/1.1 request")
    path, _, query = found.target.partition(b"?")
    return Inbound.of(parser.get_method().decode(), path, query, found.headers).with_body(found.body)


def describe_sample(config: Config, raw: bytes) -> tuple[str, bool]:
    """What the request is a call of, with its arguments and their hash, or by which code it is refused; and which."""
    try:
        inbound = read_sample(raw)
        match = config.table.match(inbound.method, inbound.target)
        if match.route.open:
            return f"{match.route.label} is open: the request needs no token", True
        refuse_unfit_body(match.route, inbound)
        call = Call.of(match, inbound)
    except Refusal as refused:
        return f"refused: {refused.problem.code} ({refused.problem.status}): {refused.problem.detail}", False
    lines = (
        call.route.label,
        f"tool            {call.route.tool}",
        f"arguments       {exact.dumps(call.arguments).decode()}",
        f"tool_args_hash  {call.arguments_hash}",
    )
    return "\n".join(lines), True
