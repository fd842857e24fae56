"""What can go wrong when an application asks a Vault, by whose fault it is and what the caller can do.

LedgixError
├── SettingsError           a setting is wrong: mend the environment variable that the message names
├── NotCleared              the Vault is fine, and there is no approval: the guarded call does not run
│   ├── ClearanceDenied     a rule or a person said no
│   ├── ReviewPending       nobody has decided yet (detached mode); `.review` is the handle
│   ├── ReviewTimedOut      we stopped waiting; the review is still open and may yet be approved
│   └── ReviewExpired       the review's own deadline passed before anybody decided
├── ArgumentsError          the call's arguments can't be guarded as they are; nothing was sent, nothing ran
├── VaultError
│   ├── VaultUnreachable    no answer at all, after all retries
│   ├── VaultBusy           429 or 503 to the end: come back later
│   ├── VaultFailed         another 5xx to the end: the Vault's operator has to look
│   ├── VaultRefused        4xx: the message says what to change
│   └── AnswerInvalid       an answer that an honest Vault would not send; never counts as an approval
└── TokenError              (ledgix.errors) a token that does not hold
    ├── TokenMismatch       a genuine approval, of another call
    ├── TokenReplayed       a token that this process, or the Vault, has seen used
    └── ReplayMemoryFull    no room to remember one more token, so none is accepted
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ledgix.errors import LedgixError, TokenError

if TYPE_CHECKING:
    from ledgix.client.answers import Clearance

__all__ = [
    "AnswerInvalid",
    "ArgumentsError",
    "ClearanceDenied",
    "LedgixError",
    "NotCleared",
    "ReplayMemoryFull",
    "ReviewExpired",
    "ReviewPending",
    "ReviewTimedOut",
    "SettingsError",
    "TokenError",
    "TokenMismatch",
    "TokenReplayed",
    "VaultBusy",
    "VaultError",
    "VaultFailed",
    "VaultRefused",
    "VaultUnreachable",
]


class SettingsError(LedgixError):
    """A client setting has a value that can't be used."""


class ArgumentsError(LedgixError):
    """The arguments of a guarded call are ambiguous, unseen, or changed while the approval was awaited."""


class NotCleared(LedgixError):
    """There is no approval for this request. `request_id` finds it again in the Vault and in the ledger."""

    def __init__(self, message: str, request_id: str) -> None:
        super().__init__(message)
        self.request_id = request_id


class ClearanceDenied(NotCleared):
    """The Vault said no. `reason` is for people, `reason_code` for programs (contract section 2)."""

    def __init__(
        self, reason: str, reason_code: str | None = None, request_id: str = "", clearance: Clearance | None = None
    ) -> None:
        code = f" [{reason_code}]" if reason_code else ""
        super().__init__(f"clearance denied{code}: {reason}", request_id)
        self.reason = reason
        self.reason_code = reason_code
        self.clearance = clearance


class ReviewPending(NotCleared):
    """A person has to decide. `review` waits, cancels or looks; store its `request_id` to come back after a restart.

    `review` is a `PendingReview`, or an `AsyncPendingReview` when an `AsyncLedgix` asked.
    """

    def __init__(self, review: Any) -> None:
        super().__init__(f"clearance {review.request_id} waits for a person's decision", review.request_id)
        self.review = review


class ReviewTimedOut(NotCleared):
    """Our patience ended, not the review: it may still be approved. Wait again, or cancel it."""

    def __init__(self, clearance: Clearance, waited: float) -> None:
        super().__init__(
            f"no decision on {clearance.request_id} within {waited:g} s; the review is still open: wait or cancel",
            clearance.request_id,
        )
        self.clearance = clearance
        self.waited = waited


class ReviewExpired(NotCleared):
    """Nobody decided before the review's deadline. Nobody said no either: asking again opens a new review."""

    def __init__(self, reason: str, request_id: str) -> None:
        super().__init__(f"the review of {request_id} expired undecided: {reason}", request_id)
        self.reason = reason
        self.reason_code = "review_expired"


class VaultError(LedgixError):
    """The Vault did not give an answer that can be used."""


class VaultUnreachable(VaultError):
    """No answer: connection refused, broken or timed out, each time."""


class VaultBusy(VaultError):
    """The Vault asked to come back later more often than the retry policy allows. `retry_after`: seconds, or None."""

    def __init__(self, message: str, retry_after: int | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class VaultFailed(VaultError):
    """The Vault answered with an error of its own."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class VaultRefused(VaultError):
    """The Vault refused the request. `code` is stable and for programs, `title` and `detail` are for people."""

    def __init__(
        self,
        message: str,
        *,
        status: int,
        code: str = "",
        title: str = "",
        detail: str = "",
        path: str = "",
        request_id: str = "",
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.title = title
        self.detail = detail
        self.path = path
        self.request_id = request_id


class AnswerInvalid(VaultError):
    """The answer breaks the contract: malformed, contradictory, or about something that was not asked."""


class TokenMismatch(TokenError):
    """The token is genuine, but approves another tool, agent, request or other arguments."""

    def __init__(self, message: str) -> None:
        super().__init__("token_invalid", message)


class TokenReplayed(TokenError):
    """The token was used before. One approval, one execution."""

    def __init__(self, message: str) -> None:
        super().__init__("token_invalid", message)


class ReplayMemoryFull(TokenError):
    """Too many unexpired tokens to remember another one; forgetting one would let it be used twice."""

    def __init__(self, message: str) -> None:
        super().__init__("token_invalid", message)
