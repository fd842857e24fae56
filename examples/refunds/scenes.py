"""The scenes of the demo, each a few lines of what an application, a reviewer or an auditor would do."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ledgix_python import ClearanceDeniedError, LedgixClient, ReviewPendingError

import ledgix
import local_vault
from agent import SupportAgent
from ledgix import Ledgix
from ledgix.client.errors import VaultRefused
from published_agent import PublishedAgent
from screen import Screen
from shop import HERE, TOOL, Payments, order_facts

SHORT = 1
LONG = 24 * 3600
"""Seconds that a person has to decide."""


@dataclass(frozen=True, slots=True)
class Desk:
    """Everybody who takes part, each with their own client."""

    screen: Screen
    owner: Ledgix
    asking: Ledgix
    reviewer: Ledgix
    auditor: Ledgix
    published_auditor: LedgixClient
    payments: Payments
    agent: SupportAgent
    published_agent: PublishedAgent


@dataclass(frozen=True, slots=True)
class Call:
    """A line of calls.jsonl, and what came of it."""

    number: int
    client: str
    args: dict[str, Any]
    expect: str
    reviewer: str = ""
    review_reason: str = ""
    then: str = ""
    verdict: str = ""
    why: str = ""
    request_id: str = ""
    waiting: Any = None  # the client's own handle of a pending review

    @property
    def text(self) -> str:
        return f"{self.args['order_id'] or '(no order)'} {json.dumps(self.args['amount'])} {self.args['currency']}"


def send_calls(desk: Desk) -> list[Call]:
    """Every call of the file, by the client that it names."""
    lines = (HERE / "calls.jsonl").read_text("utf-8").splitlines()
    desk.screen.scene("The calls", f"{len(lines)} refunds that customers ask the agent for, from calls.jsonl")
    calls = [_send(desk, Call(number, **json.loads(line))) for number, line in enumerate(lines, start=1)]
    desk.screen.table(
        ("#", "client", "refund", "verdict", "why"),
        [(str(call.number), call.client, call.text, call.verdict, call.why) for call in calls],
    )
    for call in calls:
        desk.screen.expect(call.verdict == call.expect, f"call {call.number} {call.verdict}, not {call.expect}")
    return calls


def _send(desk: Desk, call: Call) -> Call:
    with _deadline(desk, SHORT if call.reviewer == "nobody" else LONG):
        if call.client == "ledgix":
            return _outcome(desk, call, lambda: desk.agent.refund(**call.args))
        return _outcome(desk, call, lambda: desk.published_agent.refund(**call.args))


@contextmanager
def _deadline(desk: Desk, seconds: int) -> Iterator[None]:
    """Reviews that are opened in this block expire after so many seconds."""
    if seconds == LONG:
        yield
        return
    desk.owner.set_review_settings(review_expiry_seconds=seconds)
    yield
    desk.owner.set_review_settings(review_expiry_seconds=LONG)


def _outcome(desk: Desk, call: Call, act: Callable[[], str]) -> Call:
    """Four endings of a guarded call, in the words of either client."""
    try:
        return replace(call, verdict="approved", why=act())
    except (ledgix.ClearanceDenied, ClearanceDeniedError) as denied:
        return replace(call, verdict="denied", why=denied.reason, request_id=denied.request_id or "")
    except ledgix.ReviewExpired as expired:
        return replace(call, verdict="expired", why=expired.reason, request_id=expired.request_id)
    except ledgix.ReviewPending as pending:
        return _waits(desk, call, pending.request_id, pending.request_id)
    except ReviewPendingError as waits:
        pending_approval = waits.pending_approval
        return _waits(desk, call, pending_approval.request_id, pending_approval)


def _waits(desk: Desk, call: Call, request_id: str, handle: object) -> Call:
    reason = desk.asking.clearance_status(request_id).reason
    return replace(call, verdict="review", why=reason, request_id=request_id, waiting=handle)


def people_decide(desk: Desk, calls: list[Call]) -> None:
    """A reviewer approves, denies or stays silent; then the agent takes its calls up again."""
    desk.screen.scene("People decide", "the reviewer decides; the agent's own key can't, and silence is no denial")
    waiting = [call for call in calls if call.verdict == "review"]
    _agent_cannot_approve(desk, waiting[0])
    for call in waiting:
        if call.reviewer != "nobody":
            verdict = call.reviewer == "approve"
            desk.reviewer.decide_review(call.request_id, approved=verdict, reason=call.review_reason)
    settled = [_take_up(desk, call) for call in waiting]
    desk.screen.table(
        ("#", "client", "refund", "reviewer", "verdict", "why"),
        [(str(call.number), call.client, call.text, call.reviewer, call.verdict, call.why) for call in settled],
    )
    for call in settled:
        desk.screen.expect(call.verdict == call.then, f"call {call.number} {call.verdict}, not {call.then}")


def _agent_cannot_approve(desk: Desk, call: Call) -> None:
    code, _ = _refusal(lambda: desk.asking.decide_review(call.request_id, approved=True))
    desk.screen.expect(code == "missing_scope", f"the agent's key tried to approve its own request and got {code!r}")


def _take_up(desk: Desk, call: Call) -> Call:
    match call.client, call.reviewer:
        case "ledgix", "nobody":
            # The same handle, waiting: nobody decides, and the review's own deadline ends it.
            review = desk.asking.pending_review(call.request_id)
            return _outcome(desk, call, lambda: str(review.wait(timeout=15).request_id))
        case "ledgix", _:
            return _outcome(desk, call, lambda: ledgix.resume(desk.agent.refund, call.waiting, **call.args))
        case _:
            return _outcome(desk, call, lambda: desk.published_agent.resume(call.waiting, **call.args))


def tokens_are_for_one_call(desk: Desk, calls: list[Call]) -> None:
    """A token burns once, and only for the tool and the arguments that were approved."""
    desk.screen.scene("One approval, one call", "what the payment service is told when somebody tries more")
    args = {"order_id": "A-1001", "amount": 45, "currency": "USD", "reason": "asked again for this scene"}
    cleared = desk.asking.request_clearance(TOOL, args, policy_id="refunds", facts=order_facts(args))
    token, pay = cleared.token or "", desk.payments.refund
    tries: list[tuple[str, Callable[[], object], str]] = [
        ("amount changed to 4500", lambda: pay(token, {**args, "amount": 4500}), "token_args_mismatch"),
        ("another tool", lambda: desk.payments.gateway.consume(token, tool_name="wire"), "token_tool_mismatch"),
        ("token forged", lambda: pay(_forged(token), args), "token_invalid"),
        ("the call that was approved", lambda: pay(token, args), ""),
        ("the same call again", lambda: pay(token, args), "token_already_consumed"),
    ]
    rows = []
    for what, attempt, wanted in tries:
        code, why = _refusal(attempt)
        desk.screen.expect(code == wanted, f"{what}: {code or 'accepted'}, not {wanted or 'accepted'}")
        rows.append((what, "refused" if code else "ran", why))
    desk.screen.table(("attempt", "verdict", "why"), rows)
    _money_moved_once(desk, calls, args)


def _money_moved_once(desk: Desk, calls: list[Call], extra: dict[str, Any]) -> None:
    approved = [call.args for call in calls if "approved" in (call.expect, call.then)]
    paid = desk.payments.paid_back
    wanted = sorted([*approved, extra], key=str)
    desk.screen.expect(sorted(paid, key=str) == wanted, f"money moved for {paid}, not for {wanted}")
    total = sum(args["amount"] for args in paid)
    desk.screen.say(f"{len(paid)} refunds ran, {total:.2f} USD in all: each approved one once, and nothing else.")


def _forged(token: str) -> str:
    """The same claims under a signature in which one letter differs."""
    at = token.rindex(".") + 10
    return token[:at] + ("A" if token[at] != "A" else "B") + token[at + 1 :]


def _refusal(attempt: Callable[[], object]) -> tuple[str, str]:
    """Code and words with which the Vault refuses; `""` and what happened when it doesn't."""
    try:
        return "", str(attempt())
    except VaultRefused as refused:
        return refused.code, refused.detail
    except ledgix.TokenReplayed as replayed:
        return "token_already_consumed", replayed.message
    except ledgix.TokenError as broken:
        return broken.code, broken.message


def prove(desk: Desk, calls: list[Call], temporary: Path) -> None:
    """The ledger has every fact, and a file proves one of them to somebody who trusts nobody here."""
    desk.screen.scene("The evidence", "a proof bundle is fetched once; `ledgix verify` needs no network")
    entries = desk.auditor.ledger(limit=500)
    kinds = Counter(entry.kind for entry in entries)
    desk.screen.say(", ".join(f"{count} × {kind}" for kind, count in sorted(kinds.items())))
    verified = desk.auditor.verify_ledger()
    desk.screen.expect(verified.intact, f"the ledger is not intact: {verified.error}")
    reviewed = next(call for call in calls if call.reviewer == "approve")
    bundle = desk.auditor.proof_bundle(reviewed.request_id)
    file = temporary / "bundle.json"
    file.write_bytes(bundle.raw)
    _verify_offline(desk, file, bundle.raw)
    _published_client_verifies(desk, reviewed.request_id)


def _verify_offline(desk: Desk, file: Path, raw: bytes) -> None:
    # An auditor gets the key's id from the owner of the ledger, once, some other way than with the bundle.
    log_key = desk.auditor.checkpoints(limit=1)[0].signer_key_id
    intact = local_vault.run("ledgix", "verify", file, "--key", log_key)
    desk.screen.command(f"ledgix verify bundle.json --key {log_key}", intact.stdout)
    desk.screen.expect(intact.returncode == 0, f"the bundle does not hold: {intact.stderr}")
    at = raw.index(b'"amount":450') + len(b'"amount":')
    file.write_bytes(raw[:at] + b"9" + raw[at + 1 :])
    altered = local_vault.run("ledgix", "verify", file, "--key", log_key)
    desk.screen.command("ledgix verify bundle.json   # one byte altered: 450 became 950", altered.stderr)
    desk.screen.expect(altered.returncode == 1, f"an altered bundle ended with {altered.returncode}")


def _published_client_verifies(desk: Desk, request_id: str) -> None:
    bundle = desk.published_auditor.fetch_ledger_proof_bundle(request_id)
    verdict = desk.published_auditor.verify_ledger_proof_bundle(bundle)
    desk.screen.expect(verdict.intact, f"ledgix-python finds the proof not intact: {verdict.error}")
    desk.screen.say("ledgix-python 0.4.0 verifies the same proof with its own code: intact.")
