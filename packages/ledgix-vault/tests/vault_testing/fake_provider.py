"""A provider of single sign-on whose answers a test chooses: what a real one never says. Real HTTP on loopback."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey

KEY = RSAKey.generate_key(2048, {"kid": "one", "use": "sig"})
STRANGER = RSAKey.generate_key(2048, {"kid": "one", "use": "sig"})


@dataclass
class FakeProvider:
    """`claims` join those of a right token, `says` joins its description of itself; `key` signs."""

    port: int
    claims: dict[str, Any] = field(default_factory=dict)
    says: dict[str, Any] = field(default_factory=dict)
    token: dict[str, Any] | None = None
    status: int = 200
    key: RSAKey = field(default_factory=lambda: KEY)
    asked: list[tuple[str, dict[str, str], dict[str, list[str]]]] = field(default_factory=list)

    @property
    def issuer(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def description(self) -> dict[str, Any]:
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
            "authorization_response_iss_parameter_supported": True,
        } | self.says

    def answer(self, path: str) -> Any:
        match path:
            case "/.well-known/openid-configuration":
                return self.description()
            case "/keys":
                return {"keys": [KEY.as_dict(private=False)]}
            case _:
                return self.token or {"id_token": jwt.encode({"alg": "RS256", "kid": "one"}, self.claims, self.key)}

    def will_say(self, url: str, now: int, **claims: Any) -> str:
        """Answers the sign-in that `url` begins with a right token, changed by `claims`; its `state`."""
        query = parse_qs(urlsplit(url).query)
        right = {
            "iss": self.issuer,
            "aud": query["client_id"][0],
            "nonce": query["nonce"][0],
            "sub": "subject-1",
            "iat": now // 1_000_000,
            "exp": now // 1_000_000 + 300,
            "email": "new@example.com",
            "email_verified": True,
            "name": "New Person",
        }
        self.claims = right | claims
        return query["state"][0]


@contextlib.contextmanager
def fake_provider() -> Iterator[FakeProvider]:
    """One that runs until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer({})

        def do_POST(self) -> None:
            self._answer(parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode()))

        def _answer(self, form: dict[str, list[str]]) -> None:
            provider.asked.append((self.path, dict(self.headers), form))
            content = json.dumps(provider.answer(self.path)).encode()
            self.send_response(provider.status)
            if provider.status in (301, 302, 307):
                self.send_header("Location", f"{provider.issuer}/elsewhere")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    provider = FakeProvider(server.server_port)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
