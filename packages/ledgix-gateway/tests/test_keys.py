"""Token keys: new ones are found by their id, old ones verify as long as they are fresh, and no longer."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from ledgix.formats.keys import PrivateKey
from ledgix.formats.tokens import TokenClaims, issue
from ledgix_gateway.config.secrets import Secret
from ledgix_gateway.config.vault import OutcomeReports, VaultConfig
from ledgix_gateway.errors import Refusal
from ledgix_gateway.vault import Vault

pytestmark = pytest.mark.anyio


@dataclass
class KeyList:
    """A Vault's list of token keys, which can change and go away."""

    keys: list[PrivateKey] = field(default_factory=list)
    url: str = ""
    fetched: int = 0
    is_away: bool = False


@contextmanager
def key_list() -> Iterator[KeyList]:
    listed = KeyList([PrivateKey.generate()])

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            listed.fetched += 1
            body = json.dumps({"keys": [key.public.jwk() for key in listed.keys]}).encode()
            self.send_response(503 if listed.is_away else 200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        listed.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield listed
        server.shutdown()
        thread.join()


@asynccontextmanager
async def vault_of(listed: KeyList, **more: float) -> AsyncIterator[Vault]:
    vault = Vault.of(
        VaultConfig(
            url=listed.url,
            api_key=Secret("key"),
            tenant="t",
            issuer="alcv-vault",
            audience="ledgix-sdk",
            skew_seconds=int(more.get("skew_seconds", 30)),
            keys_seconds=more.get("keys_seconds", 300.0),
            timeout_seconds=5.0,
            retries=0,
            outcomes=OutcomeReports.ALL,
        )
    )
    try:
        yield vault
    finally:
        await vault.aclose()


def token(key: PrivateKey, **more: object) -> str:
    claims = {
        **dict.fromkeys(("jti", "request_id", "tool", "agent_id", "session_id", "policy_id", "tool_args_hash"), "x"),
        **{"iss": "alcv-vault", "aud": "ledgix-sdk", "tenant": "t", "policy_version_id": ""},
        **{"iat": int(time.time()), "exp": int(time.time()) + 300},
        **more,
    }
    return issue(TokenClaims(**claims), key)  # type: ignore[arg-type]


async def code_of(vault: Vault, presented: str) -> str:
    """`""` for a token that holds, else why not."""
    try:
        await vault.verify(presented)
    except Refusal as refused:
        return refused.problem.code
    return ""


async def test_a_new_key_is_found_and_an_old_one_forgotten() -> None:
    with key_list() as listed:
        async with vault_of(listed) as vault:
            old, new = listed.keys[0], PrivateKey.generate()
            assert await code_of(vault, token(old)) == ""
            listed.keys.append(new)
            assert await code_of(vault, token(new)) == ""
            assert listed.fetched == 2
            listed.keys.remove(old)
            await vault.client.refresh_keys()
            assert await code_of(vault, token(old)) == "token_invalid"
            assert await code_of(vault, token(new)) == ""


async def test_unknown_keys_cause_no_storm_of_fetches() -> None:
    with key_list() as listed:
        async with vault_of(listed) as vault:
            assert await code_of(vault, token(listed.keys[0])) == ""
            strangers = [token(PrivateKey.generate()) for _ in range(20)]
            codes = await asyncio.gather(*(code_of(vault, stranger) for stranger in strangers))
            assert set(codes) == {"token_invalid"}
            assert listed.fetched <= 3


async def test_keys_that_have_aged_verify_nothing() -> None:
    with key_list() as listed:
        async with vault_of(listed, keys_seconds=1.0) as vault:
            good = token(listed.keys[0])
            async with vault.keeping_keys_fresh():
                assert await code_of(vault, good) == ""
                listed.is_away = True
                assert await code_of(vault, good) == ""  # stale while it is fetched anew
                deadline = time.monotonic() + 30
                while (code := await code_of(vault, good)) == "" and time.monotonic() < deadline:
                    await asyncio.sleep(0.05)
                assert code == "vault_unavailable"
                listed.is_away = False
                while (code := await code_of(vault, good)) and time.monotonic() < deadline:
                    await asyncio.sleep(0.05)
                assert code == ""


@pytest.mark.parametrize(
    ("expired_for", "skew", "code"), [(10, 30, ""), (40, 30, "token_expired"), (1, 0, "token_expired")]
)
async def test_skew_is_bounded(expired_for: int, skew: int, code: str) -> None:
    with key_list() as listed:
        async with vault_of(listed, skew_seconds=skew) as vault:
            assert await code_of(vault, token(listed.keys[0], exp=int(time.time()) - expired_for)) == code


@pytest.mark.parametrize("claim", [{"iss": "evil"}, {"aud": "other"}, {"tenant": "u"}])
async def test_claims_of_somebody_else(claim: dict[str, str]) -> None:
    with key_list() as listed:
        async with vault_of(listed) as vault:
            assert await code_of(vault, token(listed.keys[0], **claim)) == "token_invalid"
