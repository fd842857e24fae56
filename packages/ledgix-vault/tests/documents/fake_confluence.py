"""A Confluence on loopback that speaks what imports need of its REST API, version 2: real HTTP, real paging."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

EMAIL, TOKEN = "bot@example.com", "an-api-token"
SPACE_ID, SPACE_KEY = "98765", "POL"


@dataclass
class FakeConfluence:
    """`pages` by id: (title, revision, storage format). What goes wrong is set before asking."""

    pages: dict[str, tuple[str, int, str]] = field(default_factory=dict)
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    raw: bytes | None = None
    next_link: str | None = None
    at_once: int = 2
    asked: list[str] = field(default_factory=list)
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/wiki"

    def answer(self, target: str, authorization: str) -> tuple[int, bytes]:
        self.asked.append(target)
        if self.status != 200:
            return self.status, b'{"errors": []}'
        expected = "Basic " + base64.b64encode(f"{EMAIL}:{TOKEN}".encode()).decode()
        if authorization != expected:
            return 401, b'{"errors": [{"status": 401, "code": "UNAUTHORIZED"}]}'
        if self.raw is not None:
            return 200, self.raw
        parts = urlsplit(target)
        found = self._route(parts.path, {name: values[0] for name, values in parse_qs(parts.query).items()})
        if found is None:
            return 404, b'{"errors": [{"status": 404, "code": "NOT_FOUND"}]}'
        return 200, json.dumps(found).encode()

    def _route(self, path: str, query: dict[str, str]) -> dict[str, Any] | None:
        root = "/wiki/api/v2/"
        if path == f"{root}spaces":
            known = query.get("keys") == SPACE_KEY
            return {"results": [{"id": SPACE_ID, "key": SPACE_KEY}] if known else [], "_links": {}}
        if path == f"{root}spaces/{SPACE_ID}/pages":
            return self._list(int(query.get("cursor", "0")))
        if path.startswith(f"{root}pages/") and (page_id := path.removeprefix(f"{root}pages/")) in self.pages:
            return self._page(page_id)
        return None

    def _list(self, start: int) -> dict[str, Any]:
        ids = sorted(self.pages)[start : start + self.at_once]
        links = {"base": f"http://127.0.0.1:{self.port}/wiki"}
        if start + self.at_once < len(self.pages):
            cursor = f"/wiki/api/v2/spaces/{SPACE_ID}/pages?body-format=storage&cursor={start + self.at_once}"
            links["next"] = self.next_link or cursor
        return {"results": [self._page(page_id) for page_id in ids], "_links": links}

    def _page(self, page_id: str) -> dict[str, Any]:
        title, revision, body = self.pages[page_id]
        return {
            "id": page_id,
            "status": "current",
            "title": title,
            "spaceId": SPACE_ID,
            "version": {"number": revision, "createdAt": "2026-01-31T00:00:00.000Z"},
            "body": {"storage": {"value": body, "representation": "storage"}},
            "_links": {"webui": f"/spaces/{SPACE_KEY}/pages/{page_id}"},
        }


@contextmanager
def confluence() -> Iterator[FakeConfluence]:
    """A running one, on a free port."""
    fake = FakeConfluence()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, content = fake.answer(self.path, self.headers.get("Authorization", ""))
            self.send_response(status)
            for name, value in {"Content-Type": "application/json", **fake.headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    fake.port = server.server_address[1]
    serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    serving.start()
    try:
        yield fake
    finally:
        server.shutdown()
        serving.join()
        server.server_close()
