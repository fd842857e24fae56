"""The Vault as the gateway knows it: the `ledgix` client behind one seam, its errors as refusals.

Invariants:

- Whatever goes wrong refuses. A Vault that gives no usable answer is `vault_unavailable`, with a time to come back.
- Token keys are fetched in the background well before they age, so that no call waits for them; keys that have aged
  verify nothing.
- No token, and no argument, stands in a refusal or in the log.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Generator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Final, Self

from ledgix.client import (
    AsyncLedgix,
    CallDetails,
    Clearance,
    ClearanceRequest,
    OutcomeReport,
    OutcomeToReport,
    ReplayMemories,
    ReplayMemory,
)
from ledgix.client.errors import (
    ClearanceDenied,
    ReviewExpired,
    ReviewTimedOut,
    TokenMismatch,
    TokenReplayed,
    VaultBusy,
    VaultError,
    VaultRefused,
)
from ledgix.errors import TokenError
from ledgix.formats.json import Json
from ledgix.formats.tokens import TokenClaims
from ledgix_gateway.codes import Code, refusal
from ledgix_gateway.config.vault import VaultConfig
from ledgix_gateway.errors import Refusal
from ledgix_gateway.vault_connection import VaultConnection

logger = logging.getLogger(__name__)

COME_BACK: Final = 2
"""Seconds in Retry-After where the Vault names none."""
_NO_SUCH_ENDPOINT: Final = (404, 405)
"""What a Vault says that is older than `POST /outcomes/batch`: outcomes go to it one by one."""
_TRY_LATER: Final = "The call was not forwarded. Try again later."
_MAYBE_SPENT: Final = (
    "The call was not forwarded. The Vault did not say whether it burned the token: if that is refused as used when "
    "you try again later, ask for a new approval."
)
_PASSED_ON: Final = {
    "suspended": Code.SUSPENDED,
    "token_args_mismatch": Code.ARGS_MISMATCH,
    "token_tool_mismatch": Code.TOOL_MISMATCH,
    "settled_meanwhile": Code.VAULT_UNAVAILABLE,
}


class NoMemory(ReplayMemory):
    """Doesn't count approvals that the gateway receives: the Vault does, when they are burned. An approval whose tool
    could not be reached can so be picked up again."""

    def claim(self, jti: str, *, until: float, now: float) -> None:
        pass


@dataclass(frozen=True, slots=True)
class Vault:
    """One client, shared by all calls. `keys_seconds` is how long its token keys live."""

    client: AsyncLedgix
    keys_seconds: float
    connection: VaultConnection | None = None  # None: the client's own

    @classmethod
    def of(cls, config: VaultConfig, *, agent_id: str = "default-agent") -> Self:
        """The Vault that the configuration names; `agent_id` is as whom it is asked, unless a call says otherwise."""
        connection = VaultConnection(config.url, config.timeout_seconds)
        memories = ReplayMemories(received=NoMemory())
        client = AsyncLedgix(config.client_settings(agent_id=agent_id), memories=memories, send=connection.send)
        return cls(client, config.keys_seconds, connection)

    async def verify(self, token: str) -> TokenClaims:
        """The claims of a token whose signature, issuer, audience, tenant and expiry hold. Burns nothing."""
        with _refusing():
            return await self.client.verify_token(token, once=False)

    async def burn(self, token: str, claims: TokenClaims, tool: str, arguments: Mapping[str, Json]) -> None:
        """Durable on return: nobody can use the token again. The Vault compares tool and arguments once more."""
        with _refusing(claims.request_id, _MAYBE_SPENT):
            consumed = await self.client.consume(token, tool_name=tool, tool_args=arguments)
            if (consumed.jti, consumed.request_id) != (claims.jti, claims.request_id):
                raise TokenMismatch("the Vault burned another token than the one that was sent")

    async def ask(self, tool: str, arguments: Mapping[str, Json], details: CallDetails) -> Clearance:
        """The approval of this very call. Raises ReviewPending when a person has to decide, else Refusal."""
        with _refusing():
            return await self.client.request_clearance(tool, arguments, **details)

    async def await_review(self, request_id: str, request: ClearanceRequest, seconds: float) -> Clearance | None:
        """The approval of an earlier request; None if nobody decided within so many seconds."""
        with _refusing(request_id):
            try:
                return await self.client.wait(request_id, timeout=seconds, request=request)
            except ReviewTimedOut:
                return None

    async def report(self, told: Sequence[OutcomeToReport]) -> Sequence[OutcomeReport | VaultError]:
        """Records what became of approved calls, 100 at most; for each what was recorded or why it can't be. Raises
        VaultError if nothing is known of some: then all may be reported again."""
        if len(told) > 1:
            try:
                return await self.client.report_outcomes(told)
            except VaultRefused as refused:
                if refused.status not in _NO_SUCH_ENDPOINT:
                    raise
        return [await self._report_one(each) for each in told]

    async def _report_one(self, told: OutcomeToReport) -> OutcomeReport | VaultError:
        try:
            return await self.client.report_outcome(outcome=told.outcome, jti=told.jti, detail=told.detail)
        except VaultRefused as refused:
            return refused

    async def aclose(self) -> None:
        """Ends all connections to the Vault."""
        await self.client.aclose()
        if self.connection is not None:
            await self.connection.aclose()

    @asynccontextmanager
    async def keeping_keys_fresh(self) -> AsyncIterator[None]:
        """Fetches the token keys again and again while the block runs. Without a Vault it begins all the same: until
        there are keys, every token is refused."""
        task = asyncio.create_task(self._keep_keys_fresh(), name="token keys")
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _keep_keys_fresh(self) -> None:
        while True:
            try:
                await self.client.refresh_keys()
            except VaultError as error:
                logger.warning(
                    "the token keys could not be fetched; those that are here stay until they age: %s", error
                )
                await asyncio.sleep(min(5.0, self.keys_seconds / 4))
            else:
                await asyncio.sleep(self.keys_seconds / 3)


@contextmanager
def _refusing(request_id: str = "", unanswered: str = _TRY_LATER) -> Generator[None, None, None]:
    """Turns the client's errors into refusals; what isn't foreseen here ends as an error of the gateway. `unanswered`
    is what the caller is told if the Vault gave no answer."""
    try:
        yield
    except TokenReplayed:
        raise refusal(
            Code.TOKEN_CONSUMED, "A token is for one call, and this one was used.", request_id=request_id
        ) from None
    except TokenError as error:
        code = Code.TOKEN_EXPIRED if error.code == "token_expired" else Code.TOKEN_INVALID
        raise refusal(code, _sentence(str(error)), request_id=request_id) from None
    except ReviewExpired as error:
        raise refusal(Code.REVIEW_EXPIRED, _sentence(error.reason), request_id=error.request_id) from None
    except ClearanceDenied as error:
        raise refusal(
            Code.CLEARANCE_DENIED,
            _sentence(error.reason),
            request_id=error.request_id,
            reason_code=error.reason_code or "",
        ) from None
    except VaultRefused as error:
        raise _refused(error, request_id) from None
    except VaultError as error:
        logger.warning("the Vault gave no answer that can be used: %s", error)
        after = error.retry_after if isinstance(error, VaultBusy) else None
        raise refusal(
            Code.VAULT_UNAVAILABLE, unanswered, request_id=request_id, retry_after=after or COME_BACK
        ) from None


def _refused(error: VaultRefused, request_id: str) -> Refusal:
    if (code := _PASSED_ON.get(error.code)) is not None:
        after = COME_BACK if code is Code.VAULT_UNAVAILABLE else None
        return refusal(code, _sentence(error.detail or error.title), request_id=request_id, retry_after=after)
    if error.status == 404:
        return refusal(Code.REQUEST_UNKNOWN, "The Vault knows no such request of this gateway.")
    if error.status == 413:
        return refusal(Code.BODY_TOO_LARGE, "The arguments are larger than the Vault takes.", request_id=request_id)
    if error.status == 422:
        return refusal(Code.BODY_INVALID, _sentence(f"The Vault can't decide about this call: {error.detail}"))
    logger.error("the Vault refuses this gateway: %s", error)
    return refusal(
        Code.VAULT_REFUSED, "The gateway's own key is not accepted; its operator has to look.", retry_after=60
    )


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + ("" if text.endswith(".") else ".")
