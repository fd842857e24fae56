"""Verifies approval tokens, and that an approval is for the call that was asked about. Fails closed.

Invariants:

- A token is accepted only by a key that the Vault lists as a token key and that is fresh (`keyring`).
- Issuer, audience, expiry and, where configured, the tenant are compared (`ledgix.formats.tokens`).
- An approval that we asked for must name our request, tool, agent and the hash of our arguments, or of those that a
  reviewer changed if we said that we accept that.
- Each token is accepted once in each role (`replay`).
"""

from __future__ import annotations

from dataclasses import dataclass

from ledgix.client.answers import Clearance
from ledgix.client.errors import AnswerInvalid, TokenMismatch, VaultUnreachable
from ledgix.client.exchange import Exchange
from ledgix.client.flow import Flow, Sleep
from ledgix.client.keyring import KeyRing, LookUp, read_jwks
from ledgix.client.replay import ReplayMemories, ReplayMemory
from ledgix.client.settings import ClientSettings
from ledgix.errors import TokenError
from ledgix.formats import jcs
from ledgix.formats import tokens as format_
from ledgix.formats.tokens import TokenClaims

_PAUSE = 0.05  # while another thread or task fetches the keys


@dataclass(frozen=True, slots=True)
class TokenVerifier:
    settings: ClientSettings
    exchange: Exchange
    ring: KeyRing
    memories: ReplayMemories

    def presented(self, token: str, *, once: bool) -> Flow[TokenClaims]:
        """A token that somebody shows us; with `once`, for the first time in this process."""
        claims = yield from self._verify(token)
        if once:
            self._remember(self.memories.presented, claims)
        return claims

    def received(self, clearance: Clearance, *, once: bool) -> Flow[TokenClaims]:
        """The token of an approval that the Vault gave us; raises TokenError unless it is for this very call."""
        assert clearance.token is not None
        claims = yield from self._verify(clearance.token)
        refuse_mismatch(claims, clearance)
        if once:
            self._remember(self.memories.received, claims)
        return claims

    def refresh(self) -> Flow[frozenset[str]]:
        """Fetches the token keys now; their ids. If somebody else is fetching, that fetch is waited for."""
        failures = self.ring.failures
        if self.ring.claim_fetch():
            yield from self._fetch_keys()
            return frozenset(self.ring.keys)
        while self.ring.is_fetching:
            yield Sleep(_PAUSE)
        if self.ring.failures != failures:
            raise VaultUnreachable(
                "the Vault's token keys could not be fetched; those that are here stay until they age"
            )
        return frozenset(self.ring.keys)

    def _verify(self, token: str) -> Flow[TokenClaims]:
        yield from self._have_key(format_.key_id(token))
        return format_.verify(
            token,
            self.ring.keys,
            issuer=self.settings.jwt_issuer,
            audience=self.settings.jwt_audience,
            now=int(self.exchange.clock.now()),
            leeway=self.settings.jwt_leeway,
            tenant=self.settings.tenant or None,
        )

    def _remember(self, memory: ReplayMemory, claims: TokenClaims) -> None:
        # One second more than the verifier's own limit: no gap between "expired" and "forgotten".
        until = claims.exp + self.settings.jwt_leeway + 1
        memory.claim(claims.jti, until=until, now=self.exchange.clock.now())

    def _have_key(self, kid: str) -> Flow[None]:
        failures = self.ring.failures
        while True:
            match self.ring.look_up(kid, self.exchange.clock.monotonic()):
                case LookUp.KNOWN:
                    return
                case LookUp.UNKNOWN:
                    raise _unknown(kid)
                case LookUp.FETCH:
                    yield from self._fetch_keys()
                    if kid not in self.ring.keys:
                        raise _unknown(kid)
                case LookUp.WAIT:
                    yield Sleep(_PAUSE)
                    if self.ring.failures != failures:
                        raise VaultUnreachable("the Vault's token keys could not be fetched; no token can be verified")

    def _fetch_keys(self) -> Flow[None]:
        fetched = False
        try:
            request = self.exchange.build.get_open("/.well-known/jwks.json")
            keys = yield from self.exchange.read(request, read_jwks)
            self.ring.store(keys, self.exchange.clock.monotonic())
            fetched = True
        finally:
            if not fetched:
                self.ring.give_up()


def refuse_mismatch(claims: TokenClaims, clearance: Clearance) -> None:
    """Raises TokenMismatch unless the token approves what `clearance` is about."""
    _equal("request", claims.request_id, clearance.request_id)
    if clearance.request is not None:
        _equal("tool", claims.tool, clearance.request.tool_name)
        _equal("agent", claims.agent_id, clearance.request.agent_id)
    if clearance.approved_args is not None:
        _equal("hash of arguments", claims.tool_args_hash, jcs.sha256_hex(clearance.approved_args))


def refuse_unasked_change(clearance: Clearance) -> None:
    """Raises AnswerInvalid when arguments were changed although the request did not accept changes."""
    request = clearance.request
    if request is None or clearance.effective_args is None or request.accepts_changed_args:
        return
    if jcs.canonicalize(clearance.effective_args) != jcs.canonicalize(request.tool_args):
        raise AnswerInvalid(
            f"the Vault approved other arguments for {clearance.request_id} than those asked for, and the request did "
            "not accept changes; the call does not run"
        )


def _equal(what: str, token_says: str, expected: str) -> None:
    if token_says != expected:
        raise TokenMismatch(f"the token approves another call: its {what} is {token_says!r}, ours {expected!r}")


def _unknown(kid: str) -> TokenError:
    return TokenError("token_invalid", f"the Vault lists no token key {kid!r}")
