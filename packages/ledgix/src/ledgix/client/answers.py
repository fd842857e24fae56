"""What a Vault answers, parsed and frozen.

- Members that this version doesn't know are ignored.
- A missing, mistyped or contradictory member raises AnswerInvalid; no such answer ever counts as an approval.
- A token never shows in a repr.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum

from ledgix.client.asked import ClearanceRequest
from ledgix.client.errors import AnswerInvalid, ClearanceDenied, NotCleared, ReviewExpired
from ledgix.client.reading import Members
from ledgix.formats.confidence import ConfidenceBucket
from ledgix.formats.json import JsonObject
from ledgix.formats.tokens import TokenClaims


class Status(StrEnum):
    """What every client of the contract understands."""

    PROCESSING = "processing"
    APPROVED = "approved"
    DENIED = "denied"
    PENDING_REVIEW = "pending_review"


class Outcome(StrEnum):
    """The true state. `status` says `denied` also of an approval that was used or has lapsed."""

    APPROVED = "approved"
    DENIED = "denied"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    PENDING = "pending"


class ReportedOutcome(StrEnum):
    """What became of an approved call. `refused`: the receiver did nothing. `unknown`: nobody can tell."""

    DELIVERED = "delivered"
    REFUSED = "refused"
    UNKNOWN = "unknown"


_OPEN = (Status.PROCESSING, Status.PENDING_REVIEW)
_UNSAID = {
    Status.PROCESSING: Outcome.PENDING,
    Status.PENDING_REVIEW: Outcome.PENDING,
    Status.APPROVED: Outcome.APPROVED,
    Status.DENIED: Outcome.DENIED,
}


@dataclass(frozen=True, slots=True)
class Clearance:
    """The Vault's answer to one request. Only `is_approved` permits the call."""

    status: Status
    outcome: Outcome
    request_id: str
    reason: str
    reason_code: str | None
    token: str | None = field(repr=False)
    requires_manual_review: bool
    confidence_bucket: ConfidenceBucket
    minimum_confidence_bucket: ConfidenceBucket
    policy_version_id: str | None
    policy_content_hash: str | None
    decided_policy_version_id: str | None
    effective_args: JsonObject | None  # what was approved, when a reviewer changed the arguments
    citations: tuple[JsonObject, ...]
    expires_at: str | None
    request: ClearanceRequest | None = field(default=None, repr=False)  # what we asked, where this process knows it
    claims: TokenClaims | None = field(default=None, repr=False)  # set once the token was verified

    @property
    def is_approved(self) -> bool:
        """Strictly: the status is `approved` and the token is here."""
        return self.status is Status.APPROVED and self.token is not None

    @property
    def is_open(self) -> bool:
        """Nothing is decided yet."""
        return self.status in _OPEN

    @property
    def approved_args(self) -> JsonObject | None:
        """The arguments that an approval covers; None when this process does not know what was asked."""
        if self.effective_args is not None:
            return self.effective_args
        return self.request.tool_args if self.request is not None else None

    def refusal(self) -> NotCleared:
        """This answer, which is no approval, as the error that says which kind of no it is."""
        if self.outcome is Outcome.EXPIRED or self.reason_code == "review_expired":
            return ReviewExpired(self.reason, self.request_id)
        return ClearanceDenied(self.reason, self.reason_code, self.request_id, self)


def read_clearance(answer: JsonObject, request: ClearanceRequest | None = None) -> Clearance:
    """The answer of /request-clearance, /clearance-status and /reviews/…/decision (contract section 2).

    `approved` without a token is legal here: a decision's answer never carries one. It is not `is_approved`.
    """
    said = Members(answer, "clearance")
    status = said.one_of("status", Status)
    clearance = Clearance(
        status=status,
        outcome=said.one_of("outcome", Outcome) if "outcome" in answer else _UNSAID[status],
        request_id=said.text("request_id"),
        reason=said.text("reason"),
        reason_code=said.text_or_none("reason_code"),
        token=said.text_or_none("token"),
        requires_manual_review=said.boolean("requires_manual_review"),
        confidence_bucket=said.one_of("confidence_bucket", ConfidenceBucket),
        minimum_confidence_bucket=said.one_of("minimum_confidence_bucket", ConfidenceBucket),
        policy_version_id=said.text_or_none("policy_version_id"),
        policy_content_hash=said.text_or_none("policy_content_hash"),
        decided_policy_version_id=said.text_or_none("decided_policy_version_id"),
        effective_args=said.object_or_none("effective_args"),
        citations=tuple(said.objects("citations")) if answer.get("citations") is not None else (),
        expires_at=said.text_or_none("expires_at"),
        request=request,
    )
    _refuse_contradiction(clearance, said)
    return clearance


def _refuse_contradiction(clearance: Clearance, said: Members) -> None:
    wanted = "approved_pending_review" if clearance.is_open else clearance.status.value
    if said.text("decision_status") != wanted:
        raise said.invalid("decision_status", f"contradicts status {clearance.status.value!r}")
    # `processing` may go with any outcome: what was decided is then not yet handed out.
    allowed = {Status.APPROVED: (Outcome.APPROVED,), Status.PENDING_REVIEW: (Outcome.PENDING,)}
    decided = tuple(outcome for outcome in Outcome if outcome is not Outcome.PENDING)
    if clearance.status is not Status.PROCESSING and clearance.outcome not in allowed.get(clearance.status, decided):
        raise said.invalid("outcome", f"contradicts status {clearance.status.value!r}")
    if clearance.token is not None and (clearance.status is not Status.APPROVED or not clearance.token):
        raise said.invalid("token", "stands where none may be")
    if not clearance.request_id:
        raise said.invalid("request_id", "is empty")


def read_handed_out(answer: JsonObject, request: ClearanceRequest | None) -> Clearance:
    """A clearance answer to the key that asked: an approval has its token, always."""
    clearance = read_clearance(answer, request)
    if clearance.status is Status.APPROVED and clearance.token is None:
        raise AnswerInvalid(f"the Vault approved {clearance.request_id} without a token; this does not permit the call")
    return clearance


def read_minted(answer: JsonObject, original: Clearance) -> Clearance:
    """POST /mint-token: a new decision about the call that `original` approved."""
    said = Members(answer, "minted token")
    token = said.text("token")
    if not token:
        raise said.invalid("token", "is empty")
    return replace(
        original,
        status=Status.APPROVED,  # the original may read `denied` by now: its own token was used
        outcome=Outcome.APPROVED,
        request_id=said.text("request_id"),
        reason=said.text("reason"),
        reason_code=None,
        token=token,
        requires_manual_review=False,
        effective_args=None,
        expires_at=None,
        claims=None,
    )


@dataclass(frozen=True, slots=True)
class Consumed:
    """The Vault burned this token for us: the call may run once, now."""

    jti: str
    request_id: str
    claims: JsonObject


def read_consumed(answer: JsonObject) -> Consumed:
    said = Members(answer, "consumed token")
    if said.text("status") != "consumed":
        raise said.invalid("status", "must be 'consumed'")
    return Consumed(said.text("jti"), said.text("request_id"), said.object("claims"))


@dataclass(frozen=True, slots=True)
class OutcomeReport:
    """What the Vault recorded of an approved call's outcome. `reported_at` is RFC 3339, UTC."""

    request_id: str
    jti: str
    outcome: ReportedOutcome
    detail: str
    reported_at: str


def read_outcome(answer: JsonObject) -> OutcomeReport:
    said = Members(answer, "reported outcome")
    return OutcomeReport(
        said.text("request_id"),
        said.text("jti"),
        said.one_of("outcome", ReportedOutcome),
        said.text("detail"),
        said.text("reported_at"),
    )


@dataclass(frozen=True, slots=True)
class PolicyRegistered:
    """`message` says how many rules became executable and what goes to review; `answer` holds the compiled rules."""

    policy_id: str
    status: str
    message: str
    answer: JsonObject = field(repr=False)


def read_policy(answer: JsonObject) -> PolicyRegistered:
    said = Members(answer, "registered policy")
    return PolicyRegistered(said.text("policy_id"), said.text("status"), said.text_or("message", ""), answer)


@dataclass(frozen=True, slots=True)
class PolicyVersion:
    """One version of a policy; `answer` has whatever else the Vault says of it, with `document` all that it says."""

    policy_id: str
    version: int
    policy_version_id: str
    policy_content_hash: str
    state: str
    answer: JsonObject = field(repr=False)


def read_policy_version(answer: JsonObject) -> PolicyVersion:
    said = Members(answer, "policy version")
    return PolicyVersion(
        said.text("policy_id"),
        said.integer("version"),
        said.text("policy_version_id"),
        said.text("policy_content_hash"),
        said.text("state"),
        answer,
    )


def read_policy_versions(answer: JsonObject) -> tuple[PolicyVersion, ...]:
    return tuple(read_policy_version(item) for item in Members(answer, "policy versions").objects("versions"))


@dataclass(frozen=True, slots=True)
class PolicySummary:
    """A policy with its newest version, and the active one and the shadow where there are such."""

    policy_id: str
    newest: PolicyVersion
    active: PolicyVersion | None
    shadow: PolicyVersion | None


def read_policy_summary(answer: JsonObject) -> PolicySummary:
    said = Members(answer, "policy")
    active, shadow = said.object_or_none("active"), said.object_or_none("shadow")
    return PolicySummary(
        said.text("policy_id"),
        read_policy_version(said.object("newest")),
        None if active is None else read_policy_version(active),
        None if shadow is None else read_policy_version(shadow),
    )


def read_policies(answer: JsonObject) -> tuple[PolicySummary, ...]:
    return tuple(read_policy_summary(item) for item in Members(answer, "policies").objects("policies"))


@dataclass(frozen=True, slots=True)
class PolicyDifference:
    """What one version changes of another, in words; `answer` has it as data."""

    text: str
    only_wording: bool
    answer: JsonObject = field(repr=False)


def read_policy_difference(answer: JsonObject) -> PolicyDifference:
    said = Members(answer, "policy difference")
    return PolicyDifference(said.text("text"), said.boolean("only_wording"), answer)


@dataclass(frozen=True, slots=True)
class ShadowReport:
    """How often a shadow would have decided the same; `differences` has each other kind with example request ids."""

    policy_id: str
    version: int
    evaluated: int
    agreed: int
    differed: int
    differences: tuple[JsonObject, ...]


def read_shadow_report(answer: JsonObject) -> ShadowReport:
    said = Members(answer, "shadow report")
    return ShadowReport(
        said.text("policy_id"),
        said.integer("version"),
        said.integer("evaluated"),
        said.integer("agreed"),
        said.integer("differed"),
        tuple(said.objects("differences")),
    )


@dataclass(frozen=True, slots=True)
class ReviewSummary:
    """A line of the review list; `answer` has whatever the Vault says beside the id."""

    request_id: str
    answer: JsonObject


@dataclass(frozen=True, slots=True)
class ReviewPage:
    """Newest first. `next_cursor` is None on the last page."""

    reviews: tuple[ReviewSummary, ...]
    next_cursor: str | None


def read_review_page(answer: JsonObject) -> ReviewPage:
    said = Members(answer, "reviews")
    reviews = tuple(ReviewSummary(Members(item, "review").text("request_id"), item) for item in said.objects("reviews"))
    return ReviewPage(reviews, said.text_or_none("next_cursor") or None)


@dataclass(frozen=True, slots=True)
class ReviewSettings:
    """When a person has to decide; `answer` holds our further settings (expiry, quorum, …)."""

    minimum_confidence_bucket: ConfidenceBucket
    answer: JsonObject


def read_review_settings(answer: JsonObject) -> ReviewSettings:
    bucket = Members(answer, "review settings").one_of("minimum_confidence_bucket", ConfidenceBucket)
    return ReviewSettings(bucket, answer)


@dataclass(frozen=True, slots=True)
class ToolSchema:
    """The JSON Schema of a tool's arguments, as the Vault keeps it."""

    tool_name: str
    schema: JsonObject


def read_tool_schema(answer: JsonObject) -> ToolSchema:
    said = Members(answer, "tool schema")
    return ToolSchema(said.text("tool_name"), said.object("schema"))


def read_tool_schemas(answer: JsonObject) -> tuple[ToolSchema, ...]:
    return tuple(read_tool_schema(item) for item in Members(answer, "tool schemas").objects("tool_schemas"))


@dataclass(frozen=True, slots=True)
class ToolSchemasImported:
    """Names of tools: registered now, known already, without declared arguments. `is_partial`: a page is missing."""

    registered: tuple[str, ...]
    unchanged: tuple[str, ...]
    skipped: tuple[str, ...]
    is_partial: bool


def read_import(answer: JsonObject) -> ToolSchemasImported:
    said = Members(answer, "imported tool schemas")
    return ToolSchemasImported(
        tuple(said.texts("registered")),
        tuple(said.texts("unchanged")),
        tuple(said.texts("skipped")),
        said.boolean("is_partial"),
    )
