"""`cleared(...)`: a block that runs with an approval in hand, for calls that are no function of ours."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Unpack

from ledgix.client.aio import AsyncLedgix
from ledgix.client.answers import Clearance
from ledgix.client.asked import CallDetails
from ledgix.client.settings import ModeName
from ledgix.client.sync import Ledgix
from ledgix.enforce.defaults import default_async_client, default_client
from ledgix.enforce.hand import in_hand


def cleared(
    tool_name: str,
    tool_args: Mapping[str, object] | None = None,
    *,
    client: Ledgix | AsyncLedgix | None = None,
    review_mode: ModeName | None = None,
    review_timeout: float | None = None,
    **details: Unpack[CallDetails],
) -> Cleared:
    """`with cleared("stripe_refund", {"amount": 45}) as clearance:`, or `async with`. Good for one block.

    The block is entered with an approval or not at all. Act on `clearance.approved_args`: they are what was approved.
    """
    return Cleared(tool_name, tool_args, client, details, review_mode=review_mode, review_timeout=review_timeout)


class Cleared:
    """What `cleared` returns; asks when it is entered."""

    def __init__(
        self,
        tool_name: str,
        tool_args: Mapping[str, object] | None,
        client: Ledgix | AsyncLedgix | None,
        details: CallDetails,
        *,
        review_mode: ModeName | None,
        review_timeout: float | None,
    ) -> None:
        self._tool_name = tool_name
        self._tool_args = tool_args
        self._client = client
        self._review_mode = review_mode
        self._review_timeout = review_timeout
        self._details = details
        self._held: AbstractContextManager[Clearance] | None = None

    def __enter__(self) -> Clearance:
        client = default_client() if self._client is None else self._client
        if not isinstance(client, Ledgix):
            raise TypeError("with an AsyncLedgix, write: async with cleared(…)")
        return self._hold(
            client.request_clearance(
                self._tool_name,
                self._tool_args,
                review_mode=self._review_mode,
                review_timeout=self._review_timeout,
                **self._details,
            )
        )

    async def __aenter__(self) -> Clearance:
        client = default_async_client() if self._client is None else self._client
        if not isinstance(client, AsyncLedgix):
            raise TypeError("with a Ledgix, write: with cleared(…)")
        return self._hold(
            await client.request_clearance(
                self._tool_name,
                self._tool_args,
                review_mode=self._review_mode,
                review_timeout=self._review_timeout,
                **self._details,
            )
        )

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        held, self._held = self._held, None
        if held is not None:
            held.__exit__(kind, error, trace)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, trace)

    def _hold(self, clearance: Clearance) -> Clearance:
        if self._held is not None:
            raise RuntimeError("this block is already entered; call cleared(…) for each")
        self._held = in_hand(clearance)
        return self._held.__enter__()
