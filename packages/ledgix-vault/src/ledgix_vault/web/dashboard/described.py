"""A tenant's review settings as fields of a form: each with a label, a sentence, and how it is typed and read.

Every setting has its description here or its field elsewhere (a test compares); what it allows is its own rule.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from ledgix.formats.confidence import ConfidenceBucket
from ledgix.formats.json import Json, JsonObject
from ledgix_vault.errors import Invalid
from ledgix_vault.tenancy.settings import REVIEWING_ROLES, ReasonRequired, ReviewSettings
from ledgix_vault.web.dashboard.frame import Form

UNITS = (("1", "seconds"), ("60", "minutes"), ("3600", "hours"), ("86400", "days"))


class Kind(StrEnum):
    """How a setting is typed."""

    CHOICE = "choice"  # one of `options`
    SWITCH = "switch"
    NUMBER = "number"
    SPAN = "span"  # a number and its unit, stored in seconds
    SEVERAL = "several"  # any of `options`


@dataclass(frozen=True, slots=True)
class Described:
    """One setting. `options` are pairs of (value, words)."""

    name: str
    kind: Kind
    label: str
    sentence: str
    options: tuple[tuple[str, str], ...] = ()

    def read(self, form: Form) -> Json:
        """What was typed, as the setting's own check takes it."""
        match self.kind:
            case Kind.CHOICE:
                return form.text(self.name)
            case Kind.SWITCH:
                return form.flag(self.name)
            case Kind.NUMBER:
                return _number(form, self.name)
            case Kind.SPAN:
                unit = form.text(f"{self.name}_unit")
                if unit not in dict(UNITS):
                    raise Invalid("must be in one of the units that the page offers", path=self.name)
                return _number(form, self.name) * int(unit)
            case Kind.SEVERAL:
                return [*form.texts(self.name)]


BUCKETS = {
    ConfidenceBucket.EXTRA_HIGH: "Rules alone decide it, and nothing had to be assumed.",
    ConfidenceBucket.HIGH: "Rules alone decide it, and something was assumed that the record names.",
    ConfidenceBucket.MEDIUM: "A judge agreed with itself each time it was asked, and quoted the policy.",
    ConfidenceBucket.LOW: "No approval is less sure than medium, so this is the same as medium.",
    ConfidenceBucket.NONE: "The same: every approval passes.",
}
THRESHOLD = Described(
    "minimum_confidence_bucket",
    Kind.CHOICE,
    "An approval without a person needs at least",
    "Approvals that are less sure than this go to a person. It never turns a review or a denial into an approval.",
    tuple((str(bucket), sentence) for bucket, sentence in BUCKETS.items()),
)
DESCRIBED = (
    THRESHOLD,
    Described(
        "default_verdict",
        Kind.CHOICE,
        "Tools that no policy covers",
        "What happens to a call of a tool that nobody wrote a policy for.",
        (("review", "a person decides"), ("deny", "the call is denied")),
    ),
    Described(
        "review_expiry_seconds",
        Kind.SPAN,
        "A review expires after",
        "If nobody decides in this time the request ends as expired, and the agent has to ask again.",
    ),
    Described(
        "quorum",
        Kind.NUMBER,
        "People who must approve",
        "How many different people must say yes. One no is enough to deny.",
    ),
    Described(
        "quorum_roles",
        Kind.SEVERAL,
        "Somebody of each of these must approve",
        "A person has one role, so each that you tick takes another person. An API key has none.",
        tuple((str(role), role.replace("_", " ")) for role in REVIEWING_ROLES),
    ),
    Described(
        "reason_required",
        Kind.CHOICE,
        "A reviewer must say why",
        "The reason stands in the ledger beside the decision.",
        (
            (str(ReasonRequired.NEVER), "only who wants to"),
            (str(ReasonRequired.ON_DENIAL), "when they deny"),
            (str(ReasonRequired.ALWAYS), "always"),
        ),
    ),
    Described(
        "escalation_seconds",
        Kind.SPAN,
        "A review is escalated after",
        "If nobody decided in this time, the queue marks it and an event says so. 0: never.",
    ),
    Described(
        "separation_of_duties",
        Kind.SWITCH,
        "Nobody approves their own request",
        "Neither whoever asked nor the person for whom the agent acts may approve it.",
    ),
    Described(
        "reviewer_not_policy_editor",
        Kind.SWITCH,
        "Nobody approves by a policy of their own",
        "Whoever wrote, confirmed or activated the policy that decides a call may not approve it.",
    ),
    Described(
        "two_person_activation",
        Kind.SWITCH,
        "Two people for each policy",
        "Whoever wrote a version of a policy can’t activate it; somebody else does.",
    ),
)

ELSEWHERE = {"require_second_factor": "/app/settings/single-sign-on"}
"""Settings that have their field on another page, with what they belong to."""


def read_settings(form: Form) -> tuple[JsonObject, dict[str, str]]:
    """Every setting as it was typed, and what is wrong, by the field's name."""
    values: JsonObject = {}
    flaws: dict[str, str] = {}
    for each in DESCRIBED:
        try:
            values[each.name] = each.read(form)
        except Invalid as error:
            flaws[each.name] = error.detail
    return values, flaws


Typed = dict[str, str | bool | list[str]]


def typed_settings(settings: ReviewSettings) -> Typed:
    """The settings as the form's fields have them."""
    stored = settings.to_json()
    typed: Typed = {}
    for each in DESCRIBED:
        match stored[each.name]:
            case bool() as switch:
                typed[each.name] = switch
            case list() as several:
                typed[each.name] = [str(value) for value in several]
            case value if each.kind is Kind.SPAN:
                seconds = int(str(value))
                unit = next(unit for unit, _ in reversed(UNITS) if seconds % int(unit) == 0) if seconds else "3600"
                typed |= {each.name: str(seconds // int(unit)), f"{each.name}_unit": unit}
            case value:
                typed[each.name] = str(value)
    return typed


def typed_again(form: Form) -> Typed:
    """The fields as somebody typed them, to be shown beside what is wrong."""
    typed: Typed = {}
    for each in DESCRIBED:
        match each.kind:
            case Kind.SWITCH:
                typed[each.name] = form.flag(each.name)
            case Kind.SEVERAL:
                typed[each.name] = form.texts(each.name)
            case Kind.SPAN:
                typed |= {name: form.text(name) for name in (each.name, f"{each.name}_unit")}
            case Kind.CHOICE | Kind.NUMBER:
                typed[each.name] = form.text(each.name)
    return typed


def _number(form: Form, name: str) -> int:
    text = form.text(name)
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        raise Invalid("must be a whole number", path=name)
    return int(text)
