"""The asynchronous client: `sync`, with awaits. Works under asyncio and trio."""

# ruff: noqa: ASYNC109 - `timeout` is the patience with a person; it cancels nothing
from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import closing
from typing import Self, TypeVar, Unpack, assert_never
from weakref import WeakKeyDictionary

import anyio
import httpx2
from anyio.lowlevel import current_token

from ledgix.client import tracing
from ledgix.client.answers import (
    Clearance,
    Consumed,
    OutcomeReport,
    PolicyDifference,
    PolicyRegistered,
    PolicySummary,
    PolicyVersion,
    ReportedOutcome,
    ReviewPage,
    ReviewSettings,
    ReviewSummary,
    ShadowReport,
    ToolSchema,
    ToolSchemasImported,
)
from ledgix.client.asked import CallDetails, ClearanceRequest
from ledgix.client.clearances import CANCELLED, Patience
from ledgix.client.core import Core
from ledgix.client.errors import ReviewPending, VaultError
from ledgix.client.flow import Clock, Flow, Follow, Incoming, NoReply, Reply, Request, Sleep
from ledgix.client.ledger import LedgerEntry, LedgerVerification, ProofBundle
from ledgix.client.news import MOST_STREAMS, is_stream
from ledgix.client.replay import PROCESS_WIDE, ReplayMemories
from ledgix.client.settings import ClientSettings, ModeName
from ledgix.client.told import OutcomeName, OutcomeToReport
from ledgix.formats.bundles import ConsistencyProof, InclusionProof
from ledgix.formats.checkpoints import Checkpoint
from ledgix.formats.tokens import TokenClaims

T = TypeVar("T")


class AsyncLedgix:
    """One Vault, one API key. Safe to share between tasks and event loops; close it, or use it as a context manager.

    Without `settings` they come from the environment. `transport`, `clock` and `sleep` are seams for tests. `send` is
    for programs that have an HTTP client of their own: it transports one request, and gives NoReply where that fails.
    """

    def __init__(
        self,
        settings: ClientSettings | None = None,
        *,
        transport: httpx2.AsyncBaseTransport | None = None,
        memories: ReplayMemories = PROCESS_WIDE,
        clock: Clock | None = None,
        sleep: Callable[[float], Awaitable[object]] = anyio.sleep,
        send: Callable[[Request], Awaitable[Reply | NoReply]] | None = None,
    ) -> None:
        self.settings = settings or ClientSettings.from_environment()
        self._core = Core.wire(self.settings, memories=memories, clock=clock)
        self._sleep = sleep
        self._send = send or self._send_by_httpx
        self._streams = 0
        self._transport = transport
        self._clients: WeakKeyDictionary[object, httpx2.AsyncClient] = WeakKeyDictionary()

    # Clearances

    async def request_clearance(
        self,
        tool_name: str,
        tool_args: Mapping[str, object] | None = None,
        *,
        review_mode: ModeName | None = None,
        review_timeout: float | None = None,
        **details: Unpack[CallDetails],
    ) -> Clearance:
        """An approval of exactly this call, or an error that says why there is none.

        Waits for a person if one has to decide; in detached mode it raises ReviewPending with a handle instead.
        """
        request = ClearanceRequest.build(self.settings, tool_name, tool_args, details)
        clearance = await self._run(self._core.clearances.request(request, review_mode, review_timeout))
        if clearance.is_open:
            raise ReviewPending(self.pending_review(clearance.request_id, request=request))
        return clearance

    async def clearance_status(self, request_id: str, *, request: ClearanceRequest | None = None) -> Clearance:
        """What the Vault knows now, as a value: look at `is_approved`. With `request`, arguments are compared."""
        return await self._run(self._core.clearances.status(request_id, request))

    async def wait(
        self,
        request_id: str,
        *,
        timeout: float | None = None,
        poll_interval: float | None = None,
        request: ClearanceRequest | None = None,
    ) -> Clearance:
        """The approval of an earlier request, once given. With `request`, its arguments are compared."""
        return await self._run(self._core.clearances.wait(request_id, request, Patience(timeout, poll_interval)))

    def pending_review(self, request_id: str, *, request: ClearanceRequest | None = None) -> AsyncPendingReview:
        """The handle of an earlier request, for example after a restart. Asks nothing."""
        return AsyncPendingReview(self, request_id, request)

    async def cancel(self, request_id: str, reason: str = CANCELLED) -> Clearance:
        """Takes an own request back, also an approval that was not consumed: its token is void."""
        return await self._run(self._core.clearances.decide(request_id, approved=False, reason=reason))

    async def mint(self, clearance: Clearance, *, session_id: str | None = None) -> Clearance:
        """One more approval of the same call, if rules alone still approve it: new request, new token.

        After the outcome `unknown` it is the one retry that a policy may allow.
        """
        return await self._run(self._core.clearances.mint(clearance, session_id))

    async def consume(
        self, token: str, *, tool_name: str | None = None, tool_args: Mapping[str, object] | None = None
    ) -> Consumed:
        """Burns the token in the Vault: of all who try, one gets an answer. Name tool and arguments to compare them."""
        return await self._run(self._core.clearances.consume(token, tool_name, tool_args))

    async def report_outcome(
        self,
        *,
        outcome: ReportedOutcome | OutcomeName,
        request_id: str | None = None,
        jti: str | None = None,
        detail: str = "",
    ) -> OutcomeReport:
        """Records what became of an approved call, named by its request or its token's `jti`: once, for good."""
        told = OutcomeToReport(outcome, request_id, jti, detail)
        return await self._run(self._core.clearances.report(told))

    async def report_outcomes(self, reports: Sequence[OutcomeToReport]) -> tuple[OutcomeReport | VaultError, ...]:
        """Records up to 100 outcomes at once; for each, in their order, what was recorded or the error that it met."""
        return await self._run(self._core.clearances.report_all(reports))

    async def verify_token(self, token: str, *, once: bool = True) -> TokenClaims:
        """The claims of a token that somebody presents; with `once`, a second time raises TokenReplayed."""
        return await self._run(self._core.tokens.presented(token, once=once))

    async def refresh_keys(self) -> frozenset[str]:
        """Fetches the Vault's token keys now; their ids. Before `jwks_ttl_seconds` have passed no token ever waits for
        it. If it raises, the keys that are here stay good until then; after that every token is refused."""
        return await self._run(self._core.tokens.refresh())

    # Policies, reviews, settings

    async def register_policy(
        self,
        policy_id: str,
        rules: Sequence[str] = (),
        *,
        tools: Sequence[str] = (),
        description: str = "",
        definition: str | None = None,
    ) -> PolicyRegistered:
        """Plain sentences, or a `definition` in the rule language (YAML or JSON text). Read `message` afterwards."""
        return await self._run(
            self._core.administration.register_policy(
                policy_id, rules, tools=tools, description=description, definition=definition
            )
        )

    async def policies(self) -> tuple[PolicySummary, ...]:
        """All policies, by id."""
        return await self._run(self._core.administration.policies())

    async def policy(self, policy_id: str) -> PolicySummary:
        """One policy: its newest version, the active one and the shadow."""
        return await self._run(self._core.administration.policy(policy_id))

    async def policy_versions(
        self, policy_id: str, *, limit: int = 100, before: int | None = None
    ) -> tuple[PolicyVersion, ...]:
        """A policy's versions, newest first; `before` leaves out that one and newer ones."""
        return await self._run(self._core.administration.policy_versions(policy_id, limit, before))

    async def policy_version(self, policy_id: str, version: int) -> PolicyVersion:
        """One version; `answer["document"]` is everything that it says."""
        return await self._run(self._core.administration.policy_version(policy_id, version))

    async def draft_policy_version(self, policy_id: str, **draft: object) -> PolicyVersion:
        """A new version by which nothing is decided yet: `rules`, `tools`, `definition`, `description`, `sources`."""
        return await self._run(self._core.administration.draft_policy_version(policy_id, draft))

    async def confirm_policy_version(
        self, policy_id: str, version: int, *, set_aside: Sequence[str] = (), settle: Sequence[str] = ()
    ) -> PolicyVersion:
        """Confirms what the Vault understood. With marks on text that no rule stands for, a new version comes back."""
        body = {"set_aside": list(set_aside), "settle": list(settle)}
        return await self._run(self._core.administration.move_policy_version(policy_id, version, "confirm", body))

    async def activate_policy_version(self, policy_id: str, version: int) -> PolicyVersion:
        """Puts a confirmed version in force."""
        return await self._run(self._core.administration.move_policy_version(policy_id, version, "activate", {}))

    async def shadow_policy_version(self, policy_id: str, version: int) -> PolicyVersion:
        """Evaluates a confirmed version beside the active one; recorded, never enforced."""
        return await self._run(self._core.administration.move_policy_version(policy_id, version, "shadow", {}))

    async def retire_policy_version(self, policy_id: str, version: int) -> PolicyVersion:
        """Takes a version out of use; nothing takes the place of an active one."""
        return await self._run(self._core.administration.move_policy_version(policy_id, version, "retire", {}))

    async def roll_back_policy(self, policy_id: str, version: int | None = None) -> PolicyVersion:
        """Goes back to the version that was active before, or to the one that is named."""
        return await self._run(self._core.administration.roll_back_policy(policy_id, version))

    async def policy_difference(self, policy_id: str, before: int, after: int) -> PolicyDifference:
        """What the version `after` changes of the version `before`."""
        return await self._run(self._core.administration.policy_difference(policy_id, before, after))

    async def shadow_report(self, policy_id: str, *, last: int = 1000, version: int | None = None) -> ShadowReport:
        """How the shadow would have decided the newest requests."""
        return await self._run(self._core.administration.shadow_report(policy_id, last, version))

    async def register_tool_schema(self, tool_name: str, schema: Mapping[str, object]) -> ToolSchema:
        """Tells the Vault the types of a tool's arguments, as JSON Schema."""
        return await self._run(self._core.administration.register_tool_schema(tool_name, schema))

    async def import_tool_schemas(
        self, tools_list: Mapping[str, object], *, money: Mapping[str, object] | None = None
    ) -> ToolSchemasImported:
        """Registers all tools that an MCP server lists, or none; what `money` doesn't name keeps its declarations."""
        return await self._run(self._core.administration.import_tool_schemas(tools_list, money or {}))

    async def tool_schemas(self) -> tuple[ToolSchema, ...]:
        """All registered tool schemas, by tool name."""
        return await self._run(self._core.administration.tool_schemas())

    async def tool_schema(self, tool_name: str) -> ToolSchema:
        """One tool's schema."""
        return await self._run(self._core.administration.tool_schema(tool_name))

    async def review_settings(self) -> ReviewSettings:
        """When a person has to decide."""
        return await self._run(self._core.administration.review_settings())

    async def set_review_settings(self, **settings: object) -> ReviewSettings:
        """Changes the members that are given (contract section 5), for example `minimum_confidence_bucket="high"`."""
        return await self._run(self._core.administration.set_review_settings(settings))

    async def review_page(
        self, status: str | None = "pending", *, limit: int = 50, cursor: str | None = None
    ) -> ReviewPage:
        """One page of reviews, newest first."""
        return await self._run(self._core.administration.review_page(status, limit, cursor))

    async def reviews(self, status: str | None = "pending", *, page_size: int = 50) -> AsyncIterator[ReviewSummary]:
        """All reviews, page after page."""
        cursor: str | None = None
        while True:
            page = await self.review_page(status, limit=page_size, cursor=cursor)
            for review in page.reviews:
                yield review
            cursor = page.next_cursor
            if cursor is None:
                return

    async def decide_review(
        self, request_id: str, *, approved: bool, reason: str = "", effective_args: Mapping[str, object] | None = None
    ) -> Clearance:
        """A person's decision, posted with a reviewer's key. `effective_args`: approve with changed arguments."""
        return await self._run(
            self._core.clearances.decide(request_id, approved=approved, reason=reason, effective_args=effective_args)
        )

    # Ledger

    async def ledger(self, limit: int = 100) -> tuple[LedgerEntry, ...]:
        """The newest entries, newest first."""
        return await self._run(self._core.ledger.entries(limit))

    async def checkpoints(self, limit: int = 24) -> tuple[Checkpoint, ...]:
        """The newest signed checkpoints, newest first."""
        return await self._run(self._core.ledger.checkpoints(limit))

    async def verify_ledger(self) -> LedgerVerification:
        """The Vault's own check of its whole log; for evidence that needs no trust in it, see `proof_bundle`."""
        return await self._run(self._core.ledger.verification())

    async def inclusion_proof(self, request_id: str | None = None, *, event_uuid: str | None = None) -> InclusionProof:
        """That the event stands in the log; of a request, its newest decision."""
        return await self._run(self._core.ledger.inclusion(request_id, event_uuid))

    async def consistency_proof(self, from_checkpoint: int, to_checkpoint: int) -> ConsistencyProof:
        """That the log only grew between two checkpoints, by their ids."""
        return await self._run(self._core.ledger.consistency(from_checkpoint, to_checkpoint))

    async def proof_bundle(
        self,
        request_id: str | None = None,
        *,
        event_uuid: str | None = None,
        verify: bool = True,
        pinned_keys: Collection[str] = (),
    ) -> ProofBundle:
        """The evidence for one event; with `verify` it is checked here, and VerificationError names a failing step."""
        return await self._run(self._core.ledger.bundle(request_id, event_uuid, verify=verify, pinned_keys=pinned_keys))

    # Sending

    async def aclose(self) -> None:
        """Closes the connections of this event loop."""
        await self._http().aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        return f"AsyncLedgix({self.settings.vault_url!r}, agent_id={self.settings.agent_id!r})"

    async def _run(self, flow: Flow[T]) -> T:
        incoming: Incoming = None
        with closing(flow):
            while True:
                try:
                    step = flow.send(incoming)
                except StopIteration as finished:
                    result: T = finished.value
                    return result
                incoming = None
                match step:
                    case Sleep(seconds):
                        await self._sleep(seconds)
                    case Follow():
                        incoming = await self._follow(step)
                    case Request():
                        with tracing.attempt(step) as attempt:
                            incoming = attempt.answered(await self._send(attempt.request))
                    case _:
                        assert_never(step)

    def _http(self) -> httpx2.AsyncClient:
        # Connections belong to an event loop, and one process may run several, one after the other or in threads.
        loop = current_token().native_token
        client = self._clients.get(loop)
        if client is None or client.is_closed:
            client = httpx2.AsyncClient(
                base_url=self.settings.vault_url, timeout=self.settings.vault_timeout, transport=self._transport
            )
            self._clients[loop] = client
        return client

    async def _send_by_httpx(self, request: Request) -> Reply | NoReply:
        try:
            response = await self._http().request(
                request.method, request.path, headers=dict(request.headers), content=request.body or None
            )
        except httpx2.RequestError as error:
            return NoReply(f"{type(error).__name__}: {error}")
        return Reply(response.status_code, dict(response.headers), response.content)

    async def _follow(self, step: Follow) -> Reply | NoReply | None:
        if self._streams >= MOST_STREAMS:
            return NoReply("this client follows enough streams")
        self._streams += 1
        try:
            with anyio.move_on_after(step.seconds):
                return await self._followed(step)
            return None
        except httpx2.RequestError as error:
            return NoReply(f"{type(error).__name__}: {error}")
        finally:
            self._streams -= 1

    async def _followed(self, step: Follow) -> Reply | NoReply:
        request = step.request
        async with self._http().stream(
            request.method, request.path, headers=dict(request.headers), timeout=None
        ) as response:
            if not is_stream(response.status_code, response.headers):
                return NoReply(f"no stream: {response.status_code}")
            async for line in response.aiter_lines():
                if step.is_it(line):
                    return Reply(response.status_code, dict(response.headers), line.encode())
        return NoReply("the stream ended")


class AsyncPendingReview:
    """A request that waits for a person. Survives restarts by its `request_id` (and `request.to_json()`)."""

    def __init__(self, client: AsyncLedgix, request_id: str, request: ClearanceRequest | None) -> None:
        self._client = client
        self.request_id = request_id
        self.request = request

    async def status(self) -> Clearance:
        """What is known now."""
        return await self._client.clearance_status(self.request_id, request=self.request)

    async def wait(self, timeout: float | None = None, poll_interval: float | None = None) -> Clearance:
        """The approval, once: a second `wait` after it raises TokenReplayed, since one approval is for one call."""
        return await self._client.wait(
            self.request_id, timeout=timeout, poll_interval=poll_interval, request=self.request
        )

    async def cancel(self, reason: str = CANCELLED) -> Clearance:
        """Takes the request back."""
        return await self._client.cancel(self.request_id, reason)

    def __repr__(self) -> str:
        return f"AsyncPendingReview({self.request_id!r})"
