"""The life of a clearance as flows: ask, wait, admit; look, cancel, decide; mint, consume and report.

Invariants:

- `request` and `wait` return an approval that may be acted upon, or raise. Only `request` in detached mode may return
  an open clearance, which its caller must turn into ReviewPending.
- With `verify_jwt`, a returned approval's token was verified, is for this very call, and was not returned before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from ledgix.client.answers import (
    Clearance,
    Consumed,
    OutcomeReport,
    read_clearance,
    read_consumed,
    read_handed_out,
    read_minted,
    read_outcome,
)
from ledgix.client.asked import ClearanceRequest
from ledgix.client.errors import (
    AnswerInvalid,
    ArgumentsError,
    ReviewTimedOut,
    VaultBusy,
    VaultError,
    VaultFailed,
    VaultRefused,
    VaultUnreachable,
)
from ledgix.client.exchange import Exchange
from ledgix.client.flow import Flow, NoReply, Sleep
from ledgix.client.news import follow_request
from ledgix.client.problems import consume_error, mint_error, read_outcomes
from ledgix.client.requests import segment
from ledgix.client.retry import ONCE, RetryPolicy
from ledgix.client.settings import ClientSettings, ModeName, ReviewMode
from ledgix.client.tokens import TokenVerifier, refuse_unasked_change
from ledgix.client.told import OutcomeToReport
from ledgix.formats.json import JsonObject

CANCELLED = "cancelled by the agent"
_NO_NEWS = NoReply("no stream is followed")


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait for a person, and how often to look; None takes the settings' value."""

    timeout: float | None = None
    poll_interval: float | None = None


@dataclass(frozen=True, slots=True)
class Clearances:
    settings: ClientSettings
    exchange: Exchange
    tokens: TokenVerifier

    def request(
        self, request: ClearanceRequest, mode: ModeName | None = None, timeout: float | None = None
    ) -> Flow[Clearance]:
        """POST /request-clearance, and all that follows until the call may run."""
        detached = ReviewMode(mode or self.settings.review_mode) is ReviewMode.DETACH
        post = self.exchange.build.post("/request-clearance", request.to_json())
        clearance = yield from self.exchange.read(post, lambda answer: read_handed_out(answer, request))
        if clearance.is_open:
            if detached:
                return clearance
            clearance = yield from self._decision(clearance.request_id, request, Patience(timeout), clearance)
        return (yield from self._admit(clearance))

    def wait(self, request_id: str, request: ClearanceRequest | None, patience: Patience) -> Flow[Clearance]:
        """The approval of an earlier request, as soon as there is one; looks at once, then when there is news."""
        clearance = yield from self._decision(request_id, request, patience, None)
        return (yield from self._admit(clearance))

    def status(self, request_id: str, request: ClearanceRequest | None) -> Flow[Clearance]:
        """What is known now, as a value. A token in it is verified, but not counted as accepted."""
        clearance = yield from self._look(request_id, request)
        if clearance.is_approved:
            refuse_unasked_change(clearance)
            if self.settings.verify_jwt:
                claims = yield from self.tokens.received(clearance, once=False)
                return replace(clearance, claims=claims)
        return clearance

    def decide(
        self, request_id: str, *, approved: bool, reason: str, effective_args: Mapping[str, object] | None = None
    ) -> Flow[Clearance]:
        """POST /reviews/…/decision. The answer never carries a token."""
        body: dict[str, object] = {"approved": approved, "review_reason": reason}
        if effective_args is not None:
            body["effective_args"] = dict(effective_args)
        post = self.exchange.build.post(f"/reviews/{segment(request_id)}/decision", body)
        return self.exchange.read(post, read_clearance)

    def mint(self, original: Clearance, session_id: str | None) -> Flow[Clearance]:
        """POST /mint-token: one more approval of the same call, decided anew by the rules of this moment."""
        post = self.exchange.build.post("/mint-token", _mint_body(original, session_id))
        try:
            minted = yield from self.exchange.read(post, lambda answer: read_minted(answer, original))
        except VaultRefused as refused:
            if (verdict := mint_error(refused)) is not None:
                raise verdict from refused
            raise
        return (yield from self._admit(minted))

    def consume(self, token: str, tool_name: str | None, tool_args: Mapping[str, object] | None) -> Flow[Consumed]:
        """POST /consume-token. Returns once, for one caller, whatever the number of processes that try."""
        body: dict[str, object] = {"token": token}
        if tool_name is not None:
            body["tool_name"] = tool_name
        if tool_args is not None:
            body["tool_args"] = dict(tool_args)
        try:
            return (yield from self.exchange.read(self.exchange.build.post("/consume-token", body), read_consumed))
        except VaultRefused as refused:
            if (verdict := consume_error(refused)) is not None:
                raise verdict from refused
            raise

    def report(self, told: OutcomeToReport) -> Flow[OutcomeReport]:
        """POST /outcomes: once for each approval; the same report again gets the same answer."""
        return self.exchange.read(self.exchange.build.post("/outcomes", told.to_json()), read_outcome)

    def report_all(self, told: Sequence[OutcomeToReport]) -> Flow[tuple[OutcomeReport | VaultError, ...]]:
        """POST /outcomes/batch: for each report what was recorded, or why not, in their order."""
        request = self.exchange.build.post("/outcomes/batch", {"reports": [each.to_json() for each in told]})
        results = yield from self.exchange.read(request, partial(read_outcomes, request=request))
        if len(results) != len(told):
            raise AnswerInvalid(f"{len(told)} outcomes were reported, and the Vault answered about {len(results)}")
        return results

    def _look(
        self, request_id: str, request: ClearanceRequest | None, policy: RetryPolicy | None = None
    ) -> Flow[Clearance]:
        get = self.exchange.build.get(f"/clearance-status/{segment(request_id)}")
        clearance = yield from self.exchange.read(get, lambda answer: read_handed_out(answer, request), policy)
        if clearance.request_id != request_id:
            raise AnswerInvalid(f"asked about {request_id!r}, and the Vault answered about {clearance.request_id!r}")
        return clearance

    def _decision(
        self, request_id: str, request: ClearanceRequest | None, patience: Patience, latest: Clearance | None
    ) -> Flow[Clearance]:
        """Looks until something is decided: when the Vault tells of it, or else at each interval. A Vault that is away
        for a while costs time, not the request."""
        timeout = self.settings.review_timeout if patience.timeout is None else patience.timeout
        interval = self.settings.review_poll_interval if patience.poll_interval is None else patience.poll_interval
        deadline = self.exchange.clock.monotonic() + timeout
        trouble: VaultError | None = None
        may_follow = True
        while latest is None or latest.is_open:
            if latest is not None or trouble is not None:
                left = deadline - self.exchange.clock.monotonic()
                if left <= 0:
                    raise _out_of_patience(latest, trouble, timeout)
                news = (yield follow_request(self.exchange.build, request_id, left)) if may_follow else _NO_NEWS
                # What was told once is told again, and a stream that isn't there won't be: then looking is enough.
                may_follow = news is None
                if isinstance(news, NoReply):
                    yield Sleep(min(interval, left))
            try:
                latest = yield from self._look(request_id, request, ONCE)
                trouble = None
            except (VaultUnreachable, VaultBusy, VaultFailed) as error:
                trouble = error
        return latest

    def _admit(self, clearance: Clearance) -> Flow[Clearance]:
        """The one gate: whatever leaves it may be acted upon."""
        if not clearance.is_approved:
            raise clearance.refusal()
        refuse_unasked_change(clearance)
        if not self.settings.verify_jwt:
            return clearance
        claims = yield from self.tokens.received(clearance, once=True)
        return replace(clearance, claims=claims)


def _out_of_patience(latest: Clearance | None, trouble: VaultError | None, waited: float) -> Exception:
    if latest is None:
        assert trouble is not None
        return trouble
    timed_out = ReviewTimedOut(latest, waited)
    timed_out.__cause__ = trouble
    return timed_out


def _mint_body(original: Clearance, session_id: str | None) -> JsonObject:
    request = original.request
    if request is None:
        raise ArgumentsError("only a clearance whose request is known to this client can be minted again")
    asked = request.to_json()
    for name in ("context", "parent_jti", "accepts"):  # the Vault takes the first two from the original
        asked.pop(name, None)
    hint = request.context.get("policy_id")
    return {
        **asked,
        "session_id": request.session_id if session_id is None else session_id,
        "policy_id": hint if isinstance(hint, str) else "",
        "policy_version_id": original.policy_version_id or "",
        "policy_content_hash": original.policy_content_hash or "",
        "original_request_id": original.request_id,
        "confidence_bucket": original.confidence_bucket.value,
        "reason": original.reason,
    }
