"""A Vault in memory that speaks the wire contract with real bytes: signed tokens, sealed events, proofs.

It decides by a function that the test gives, keeps requests, remembers idempotency keys, and can fail on demand in two
ways: before it has done anything, and after it has done everything but answer.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import parse_qs, unquote

import httpx2
from fake_log import TENANT, FakeLog

from ledgix.client import AsyncLedgix, ClientSettings, Ledgix, ReplayMemories
from ledgix.client.flow import Clock
from ledgix.errors import JsonError
from ledgix.formats import bundles, jcs, json, tokens, tree
from ledgix.formats.keys import PrivateKey
from ledgix.formats.tokens import TokenClaims

API_KEY = "vk_test_agent"
START = 1_767_225_600  # 2026-01-01T00:00:00Z


class FakeTime:
    """A clock that moves only when somebody sleeps."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.slept: list[float] = []
        self.while_asleep: list[Callable[[], object]] = []

    @property
    def clock(self) -> Clock:
        return Clock(now=lambda: START + self.seconds, monotonic=lambda: self.seconds)

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds
        self.slept.append(seconds)
        if self.while_asleep:
            self.while_asleep.pop(0)()

    async def asleep(self, seconds: float) -> None:
        self.sleep(seconds)


@dataclass
class Asked:
    """One stored request."""

    request_id: str
    body: dict
    outcome: str
    reason_code: str | None = None
    reason: str = ""
    effective_args: dict | None = None
    jti: str = field(default_factory=lambda: str(uuid.uuid4()))
    issued_at: int | None = None
    consumed: bool = False
    reported: str = ""


@dataclass(frozen=True)
class Seen:
    method: str
    path: str
    headers: dict
    body: bytes


class FakeVault(FakeLog):
    def __init__(self) -> None:
        super().__init__()
        self.time = FakeTime()
        self.decide: Callable[[dict], str] = lambda _body: "approved"
        self.token_key = PrivateKey.from_seed(b"t" * 32)
        self.listed_keys = [self.token_key]
        self.requests: dict[str, Asked] = {}
        self.remembered: dict[str, tuple[bytes, int, dict]] = {}
        self.schemas: dict[str, dict] = {}
        line = {"policy_id": "refunds", "version": 1, "policy_version_id": "v", "state": "active"}
        version = {**line, "policy_content_hash": "0" * 64}
        self.policy = {"policy_id": "refunds", "newest": version, "active": version, "shadow": None}
        self.review_settings = {"minimum_confidence_bucket": "high", "quorum": 1}
        self.seen: list[Seen] = []
        self.faults: list[tuple] = []
        self.tamper_answer: Callable[[str, dict], dict] = lambda _path, answer: answer
        self.tamper_claims: Callable[[dict], dict] = lambda claims: claims
        self.memories = ReplayMemories()
        self.streams: list[Callable[[], tuple[int, str, str]]] = []
        """What each stream that is opened answers: status, type, text. Without any it is an older Vault."""
        self.followed: list[Seen] = []

    # Clients of this Vault

    def settings(self, **overrides: object) -> ClientSettings:
        return ClientSettings(**{"vault_url": "http://vault.test", "vault_api_key": API_KEY, **overrides})

    def client(self, **overrides: object) -> Ledgix:
        return Ledgix(
            self.settings(**overrides),
            transport=httpx2.MockTransport(self._answer),
            memories=self.memories,
            clock=self.time.clock,
            sleep=self.time.sleep,
        )

    def async_client(self, **overrides: object) -> AsyncLedgix:
        return AsyncLedgix(
            self.settings(**overrides),
            transport=httpx2.ASGITransport(self.asgi),
            memories=self.memories,
            clock=self.time.clock,
            sleep=self.time.asleep,
        )

    def paths(self, prefix: str = "") -> list[str]:
        return [seen.path for seen in self.seen if seen.path.startswith(prefix)]

    # Faults, each for one request

    def fail(self, status: int, *, retry_after: str | None = None, body: bytes | None = None) -> None:
        self.faults.append(("status", status, retry_after, body))

    def lose_request(self) -> None:
        self.faults.append(("lost before",))

    def lose_answer(self) -> None:
        self.faults.append(("lost after",))

    # Transport

    def _answer(self, request: httpx2.Request) -> httpx2.Response:
        path, _, query = request.url.raw_path.decode().partition("?")
        status, headers, body = self.handle(request.method, path, query, dict(request.headers), request.content)
        return httpx2.Response(status, headers=headers, content=body)

    async def asgi(self, scope, receive, send) -> None:
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        status, answer_headers, answer = self.handle(
            scope["method"], scope["raw_path"].decode(), scope["query_string"].decode(), headers, body
        )
        raw = [(name.lower().encode(), value.encode()) for name, value in answer_headers.items()]
        await send({"type": "http.response.start", "status": status, "headers": raw})
        await send({"type": "http.response.body", "body": answer})

    def handle(self, method: str, path: str, query: str, headers: dict, body: bytes) -> tuple[int, dict, bytes]:
        if path == "/events":
            self.followed.append(Seen(method, f"{path}?{query}", headers, body))
            status, kind, text = self.streams.pop(0)() if self.streams else (404, "application/problem+json", "{}")
            return status, {"Content-Type": kind}, text.encode()
        self.seen.append(Seen(method, path, headers, body))
        fault = self.faults.pop(0) if self.faults else ("none",)
        match fault:
            case ("status", status, retry_after, raw):
                return status, {"Retry-After": retry_after} if retry_after else {}, raw or b"{}"
            case ("lost before",):
                raise httpx2.ConnectError("connection refused")
        status, answer = self._idempotent(method, path, query, headers, body)
        if fault == ("lost after",):
            raise httpx2.ReadError("connection reset")
        if status < 300:
            answer = self.tamper_answer(path, answer)
        return status, {"Content-Type": "application/json"}, json.dumps(json.from_python(answer))

    def _idempotent(self, method: str, path: str, query: str, headers: dict, body: bytes) -> tuple[int, dict]:
        if path != "/.well-known/jwks.json" and headers.get("x-vault-api-key") != API_KEY:
            return problem(401, "unauthenticated", "There is no such API key.")
        key = headers.get("idempotency-key")
        if method == "POST" and not key:
            return problem(400, "bad_request", "This test's Vault insists on an Idempotency-Key.")
        if key in self.remembered:
            first, status, answer = self.remembered[key]
            if first != body:
                return problem(422, "idempotency_key_reused", "Another body.")
            return status, answer
        try:
            parsed = json.parse_object(body) if body else {}
        except JsonError as error:
            return problem(422, "invalid", error.message, path=error.path)
        status, answer = self._route(method, [unquote(part) for part in path.split("/")[1:]], parse_qs(query), parsed)
        if key and status < 300:
            self.remembered[key] = (body, status, answer)
        return status, answer

    def _route(self, method: str, parts: list[str], query: dict, body: dict) -> tuple[int, dict]:
        asked_for = (query.get("request_id") or [""])[0]
        match method, *parts:
            case "GET", ".well-known", "jwks.json":
                return 200, {"keys": [key.public.jwk() for key in self.listed_keys]}
            case "POST", "request-clearance":
                return self._request(body)
            case "GET", "clearance-status", request_id:
                return self._known(request_id, with_token=True)
            case "POST", "reviews", request_id, "decision":
                return self._decision(request_id, body)
            case "POST", "mint-token":
                return self._mint(body)
            case "POST", "consume-token":
                return self._consume(body)
            case "POST", "outcomes", "batch":
                return 200, {"results": [self._result(*self._report(each)) for each in body["reports"]]}
            case "POST", "outcomes":
                return self._report(body)
            case "POST", "register-policy":
                return 200, {"policy_id": body["policy_id"], "status": "registered", "message": "1 rule", "rules": []}
            case "GET", "policies":
                return 200, {"policies": [self.policy]}
            case "GET", "policies", _:
                return 200, self.policy
            case "GET", "policies", _, "versions":
                return 200, {"versions": [self.policy["newest"]]}
            case "GET", "policies", _, "diff":
                return 200, {"text": "Nothing differs.", "only_wording": False}
            case "GET", "policies", _, "shadow-report":
                counted = {"evaluated": 1, "agreed": 1, "differed": 0, "differences": []}
                return 200, {"policy_id": "refunds", "version": 1, **counted}
            case "GET" | "POST", "policies", *_:
                return 200, self.policy["newest"]
            case "GET", "reviews":
                return self._review_page(query)
            case "GET", "review-settings":
                return 200, self.review_settings
            case "PUT", "review-settings":
                self.review_settings |= body
                return 200, self.review_settings
            case "POST", "tool-schemas", "import":
                tools = {tool["name"]: tool["inputSchema"] for tool in body["tools_list"]["tools"]}
                unchanged = [tool for tool in tools if self.schemas.get(tool) == tools[tool]]
                self.schemas |= tools
                registered = [tool for tool in tools if tool not in unchanged]
                return 200, {"registered": registered, "unchanged": unchanged, "skipped": [], "is_partial": False}
            case "PUT", "tool-schemas", tool:
                self.schemas[tool] = body
                return 200, {"tool_name": tool, "schema": body}
            case "GET", "tool-schemas":
                return 200, {
                    "tool_schemas": [{"tool_name": tool, "schema": self.schemas[tool]} for tool in self.schemas]
                }
            case "GET", "tool-schemas", tool if tool in self.schemas:
                return 200, {"tool_name": tool, "schema": self.schemas[tool]}
            case "GET", "ledger":
                return 200, {"entries": [self.entry(index) for index in reversed(range(len(self.log)))]}
            case "GET", "ledger", "checkpoints":
                return 200, {"checkpoints": [self.checkpoint(len(self.log)).to_json()]}
            case "GET", "ledger", "verify":
                return 200, {"intact": True, "verified_entries": len(self.log), "verified_checkpoints": 1}
            case "GET", "ledger", "proof", "inclusion":
                return 200, self.inclusion(asked_for).to_json()
            case "GET", "ledger", "proof", "consistency":
                first, last = (self.checkpoint(int(query[name][0])) for name in ("from", "to"))
                path = tree.consistency_proof(first.tree_size, last.tree_size, self)
                return 200, bundles.consistency(first, last, path).to_json()
            case "GET", "ledger", "proof", "bundle":
                return 200, self.bundle(asked_for)
        return problem(404, "not_found", "There is no such thing here.")

    # Clearances

    def _request(self, body: dict) -> tuple[int, dict]:
        asked = Asked(str(uuid.uuid4()), body, self.decide(body), reason="by the test's rules")
        if asked.outcome == "denied":
            asked.reason_code = "policy_denied"
        self.requests[asked.request_id] = asked
        self.record(asked)
        return 200, self.answer(asked, with_token=True)

    def settle(self, request_id: str, outcome: str, **members: object) -> None:
        """A person's decision, or the expiry of the review."""
        asked = self.requests[request_id]
        asked.outcome = outcome
        asked.reason_code = {"denied": "review_denied", "expired": "review_expired"}.get(outcome)
        for name, value in members.items():
            setattr(asked, name, value)

    def only(self) -> Asked:
        (asked,) = self.requests.values()
        return asked

    def answer(self, asked: Asked, *, with_token: bool) -> dict:
        status = {"pending": "pending_review", "approved": "approved"}.get(asked.outcome, "denied")
        reason_code = asked.reason_code
        if asked.outcome == "approved" and asked.consumed:
            status, reason_code = "denied", "approval_used"
        pending = status == "pending_review"
        return {
            "status": status,
            "decision_status": "approved_pending_review" if pending else status,
            "requires_manual_review": pending,
            "token": self.token(asked) if status == "approved" and with_token else None,
            "reason": asked.reason,
            "reason_code": reason_code,
            "request_id": asked.request_id,
            "confidence_bucket": "extra_high",
            "minimum_confidence_bucket": "high",
            "policy_version_id": "5f0b4f43-0000-4000-8000-000000000001",
            "policy_content_hash": "ab" * 32,
            "outcome": asked.outcome,
            "effective_args": asked.effective_args,
            "citations": [],
            "expires_at": None,
            "a_field_of_the_future": {"x": [1]},
        }

    def token(self, asked: Asked, key: PrivateKey | None = None) -> str:
        if asked.issued_at is None:
            asked.issued_at = int(START + self.time.seconds)
        args = asked.body["tool_args"] if asked.effective_args is None else json.from_python(asked.effective_args)
        claims = {
            "iss": "alcv-vault",
            "aud": "ledgix-sdk",
            "iat": asked.issued_at,
            "exp": asked.issued_at + 300,
            "jti": asked.jti,
            "request_id": asked.request_id,
            "tool": asked.body["tool_name"],
            "agent_id": asked.body["agent_id"],
            "session_id": asked.body.get("session_id", ""),
            "policy_id": "refunds",
            "tool_args_hash": jcs.sha256_hex(args),
            "tenant": TENANT,
            "policy_version_id": "",
        }
        return tokens.issue(TokenClaims(**self.tamper_claims(claims)), key or self.token_key)

    def _known(self, request_id: str, *, with_token: bool) -> tuple[int, dict]:
        if request_id not in self.requests:
            return problem(404, "not_found", "There is no request with this id.")
        return 200, self.answer(self.requests[request_id], with_token=with_token)

    def _decision(self, request_id: str, body: dict) -> tuple[int, dict]:
        if request_id not in self.requests:
            return problem(404, "not_found", "There is no request with this id.")
        asked = self.requests[request_id]
        if body["approved"]:
            asked.outcome, asked.effective_args = "approved", body.get("effective_args")
        else:
            asked.outcome, asked.reason_code = "cancelled", "cancelled_by_agent"
        asked.reason = body["review_reason"]
        return self._known(request_id, with_token=False)

    def _mint(self, body: dict) -> tuple[int, dict]:
        original = self.requests[body["original_request_id"]]
        decided = self.decide(body)
        if jcs.sha256_hex(body["tool_args"]) != jcs.sha256_hex(original.body["tool_args"]):
            return problem(403, "mint_mismatch", "This is not the call that was approved.")
        asked = Asked(str(uuid.uuid4()), {**original.body, "session_id": body["session_id"]}, decided, reason="minted")
        self.requests[asked.request_id] = asked
        if decided != "approved":
            return problem(403, "policy_denied", "No longer.", request_id=asked.request_id)
        return 200, {"token": self.token(asked), "reason": asked.reason, "request_id": asked.request_id}

    def _consume(self, body: dict) -> tuple[int, dict]:
        for asked in self.requests.values():
            if asked.issued_at is not None and self.token(asked) == body["token"]:
                if asked.consumed:
                    return problem(409, "token_already_consumed", "This token was consumed before.")
                if body.get("tool_name", asked.body["tool_name"]) != asked.body["tool_name"]:
                    return problem(403, "token_tool_mismatch", "The token is for another tool.")
                asked.consumed = True
                claims = {"tool": asked.body["tool_name"]}
                return 200, {
                    "status": "consumed",
                    "jti": asked.jti,
                    "request_id": asked.request_id,
                    "claims": claims,
                }
        return problem(401, "token_invalid", "Not one of ours.")

    def _report(self, body: dict) -> tuple[int, dict]:
        named = [
            a for a in self.requests.values() if body.get("request_id") == a.request_id or body.get("jti") == a.jti
        ]
        if not named:
            return problem(404, "not_found", "There is no approval with this id.")
        if (named[0].reported or body["outcome"]) != body["outcome"]:
            return problem(409, "outcome_already_reported", "It was reported otherwise.")
        named[0].reported, named[0].consumed = body["outcome"], True
        said = {"outcome": body["outcome"], "detail": body["detail"], "reported_at": "2026-01-01T00:00:00Z"}
        return 200, {"request_id": named[0].request_id, "jti": named[0].jti, **said}

    def _result(self, status: int, body: dict) -> dict:
        return {"recorded" if status == 200 else "problem": body}

    def _review_page(self, query: dict) -> tuple[int, dict]:
        pending = [asked for asked in self.requests.values() if asked.outcome == "pending"]
        limit, start = int(query["limit"][0]), int((query.get("cursor") or ["0"])[0])
        more = start + limit < len(pending)
        page = [{"request_id": asked.request_id, "agent_id": "a"} for asked in pending[start : start + limit]]
        return 200, {"reviews": page, "next_cursor": str(start + limit) if more else None}


def problem(status: int, code: str, detail: str, **extra: str) -> tuple[int, dict]:
    title = code.replace("_", " ").capitalize()
    return status, {
        "type": f"urn:ledgix:error:{code}",
        "title": title,
        "status": status,
        "detail": detail,
        "code": code,
        **extra,
    }
