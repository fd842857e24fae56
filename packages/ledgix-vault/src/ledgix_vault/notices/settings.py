"""By which channels a tenant wants to be told, and of what. Nothing is on unless it is turned on.

Secrets (tokens, and addresses that are as good as one) are sealed, write-only, and shown as a mask. The ledger has the
SHA-256 of each sealed one, so that whoever swaps it in the database is found.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from ledgix.formats.json import Json, JsonObject
from ledgix_vault.errors import Invalid
from ledgix_vault.notices.kinds import Channel, NoticeKind
from ledgix_vault.notices.quiet import QuietHours
from ledgix_vault.notices.reading import (
    LONGEST_SECRET,
    LONGEST_TEXT,
    a_flag,
    a_list,
    a_number,
    a_text,
    an_object,
    email_address,
    event_kinds,
)
from ledgix_vault.write_only import MASK, hash_of_sealed, read_secret, shown

NOTIFICATIONS = "notifications"
"""How the event of a change of settings says that they are these."""
MOST_RECIPIENTS = 50
MOST_WEBHOOKS = 20
LONGEST_DIGEST = 24 * 60
LONGEST_REMINDER = 30 * 24 * 60
SLACK_URL, TEAMS_URL = "slack.webhook_url", "teams.webhook_url"
BOT_TOKEN, SIGNING_SECRET = "slack_app.bot_token", "slack_app.signing_secret"


@dataclass(frozen=True, slots=True)
class Email:
    """To whom mails go. `digest_minutes` collects what comes within that time into one mail; 0 sends each at once."""

    enabled: bool = False
    recipients: tuple[str, ...] = ()
    digest_minutes: int = 0
    include_arguments: bool = True


@dataclass(frozen=True, slots=True)
class Room:
    """A channel of a chat, by an address or a token that is a secret of its own."""

    enabled: bool = False
    channel: str = ""


@dataclass(frozen=True, slots=True)
class Webhook:
    """Another system. Until `previous_until` (µs) what is sent is signed with the secret before the last rotation, too.
    With `include_arguments` it gets the arguments of calls."""

    webhook_id: str
    url: str
    events: tuple[NoticeKind, ...]
    enabled: bool = True
    include_arguments: bool = False
    previous_until: int = 0

    @property
    def secret_place(self) -> str:
        return f"webhook.{self.webhook_id}"

    @property
    def previous_place(self) -> str:
        return f"webhook.{self.webhook_id}.previous"


@dataclass(frozen=True, slots=True)
class Hands:
    """What changing settings needs from outside. `check_url` raises `Invalid` at a path for an address that may not be
    asked; `seal` takes a secret and its place."""

    seal: Callable[[str, str], bytes]
    check_url: Callable[[str, str], None]
    new_id: Callable[[], str]
    new_secret: Callable[[], str]


@dataclass(frozen=True, slots=True)
class NotificationSettings:
    """A tenant's notifications. `events` are those that people are told of; each webhook has its own."""

    email: Email = Email()
    slack: Room = Room()
    slack_app: Room = Room()
    teams: Room = Room()
    webhooks: tuple[Webhook, ...] = ()
    events: tuple[NoticeKind, ...] = tuple(NoticeKind)
    quiet_hours: QuietHours = field(default_factory=QuietHours)
    reminder_minutes: int = 60
    sealed: Mapping[str, bytes] = field(default_factory=dict, repr=False)

    def wants(self, kind: NoticeKind) -> bool:
        """Whether anybody is told of this."""
        return bool(self.targets(kind))

    def targets(self, kind: NoticeKind) -> list[tuple[Channel, str]]:
        """Whom to tell: a channel and, where it has several, which: an address, or a webhook's id."""
        found: list[tuple[Channel, str]] = []
        if kind in self.events:
            if self.email.enabled:
                found += [(Channel.EMAIL, address) for address in self.email.recipients]
            rooms = ((Channel.SLACK, self.slack), (Channel.SLACK_APP, self.slack_app), (Channel.TEAMS, self.teams))
            found += [(channel, "") for channel, room in rooms if room.enabled]
        return found + [
            (Channel.WEBHOOK, each.webhook_id) for each in self.webhooks if each.enabled and kind in each.events
        ]

    def webhook(self, webhook_id: str) -> Webhook | None:
        """The webhook with this id."""
        return next((each for each in self.webhooks if each.webhook_id == webhook_id), None)

    def to_json(self) -> JsonObject:
        """What is stored beside the secrets."""
        return {
            "email": {
                "enabled": self.email.enabled,
                "recipients": list(self.email.recipients),
                "digest_minutes": self.email.digest_minutes,
                "include_arguments": self.email.include_arguments,
            },
            "slack": {"enabled": self.slack.enabled, "channel": self.slack.channel},
            "slack_app": {"enabled": self.slack_app.enabled, "channel": self.slack_app.channel},
            "teams": {"enabled": self.teams.enabled},
            "webhooks": [_webhook_json(each) for each in self.webhooks],
            "events": _names(self.events),
            "quiet_hours": self.quiet_hours.to_json(),
            "reminder_minutes": self.reminder_minutes,
        }

    def for_ledger(self) -> JsonObject:
        hashes: JsonObject = {place: hash_of_sealed(sealed) for place, sealed in sorted(self.sealed.items())}
        return {**self.to_json(), "sealed_sha256": hashes}

    def masked(self, fresh: Mapping[str, str] | None = None) -> JsonObject:
        """What the API shows. `fresh` has the secrets of webhooks that were made just now, by webhook id: only once."""
        visible = self.to_json()
        for place in (SLACK_URL, TEAMS_URL, BOT_TOKEN, SIGNING_SECRET):
            room, _, name = place.partition(".")
            an_object(visible[room], room)[name] = shown(self.sealed.get(place, b""))
        visible["webhooks"] = [
            {**_webhook_json(each), "secret": (fresh or {}).get(each.webhook_id, MASK)} for each in self.webhooks
        ]
        return visible

    @classmethod
    def from_json(cls, stored: JsonObject, sealed: Mapping[str, bytes]) -> NotificationSettings:
        """Reads back what `to_json` gave; raises `Invalid` for anything else."""
        known = cls()._with_plain(stored)
        listed = a_list(stored.get("webhooks", []), "$.webhooks", MOST_WEBHOOKS)
        webhooks = [_read_webhook(an_object(each, "webhooks"), None, "$.webhooks") for each in listed]
        return replace(known, webhooks=tuple(webhooks), sealed=dict(sealed))

    def changed(self, changes: JsonObject, hands: Hands) -> tuple[NotificationSettings, dict[str, str]]:
        """These with `changes` applied, and the secret of each webhook that is new, by its id. Raises `Invalid` naming
        the member that is wrong. A list of webhooks replaces the one before; one that names the id, or the address, of
        a webhook that is there is that webhook, and keeps its secret."""
        after = self._with_plain(changes)
        fresh: dict[str, str] = {}
        if "webhooks" in changes:
            after = after._with_webhooks(changes["webhooks"], hands, fresh)
        after = after._with_secrets(changes, hands)
        after._check_complete()
        return after, fresh

    def speaks_otherwise(self, before: NotificationSettings) -> bool:
        """Whether clicks in Slack would be believed that were not before."""
        return self.slack_app.enabled and (
            not before.slack_app.enabled or self.sealed.get(SIGNING_SECRET) != before.sealed.get(SIGNING_SECRET)
        )

    def tells_arguments_beyond(self, before: NotificationSettings) -> bool:
        """Whether arguments of calls would reach somebody who didn't get them before."""
        by_mail = self.email.enabled and self.email.include_arguments
        known = before.email.recipients if before.email.enabled and before.email.include_arguments else ()
        if by_mail and set(self.email.recipients) - set(known):
            return True
        had = {(each.webhook_id, each.url) for each in before.webhooks if each.enabled and each.include_arguments}
        return any(
            each.enabled and each.include_arguments and (each.webhook_id, each.url) not in had for each in self.webhooks
        )

    def rotated(self, webhook_id: str, sealed: bytes, previous: bytes, until: int) -> NotificationSettings:
        """With another secret for a webhook; until then (µs) the one before signs, too."""
        webhook = self.webhook(webhook_id)
        assert webhook is not None
        places = {webhook.previous_place: previous, webhook.secret_place: sealed}
        after = replace(webhook, previous_until=until)
        return replace(
            self,
            webhooks=tuple(after if each == webhook else each for each in self.webhooks),
            sealed={**self.sealed, **places},
        )

    def _with_plain(self, changes: JsonObject) -> NotificationSettings:
        return replace(
            self,
            email=_email(self.email, an_object(changes.get("email", {}), "email")),
            slack=_room(self.slack, changes, "slack"),
            slack_app=_room(self.slack_app, changes, "slack_app"),
            teams=_room(self.teams, changes, "teams"),
            events=event_kinds(changes["events"], "$.events") if "events" in changes else self.events,
            quiet_hours=self.quiet_hours.changed(an_object(changes.get("quiet_hours", {}), "quiet_hours")),
            reminder_minutes=a_number(
                changes.get("reminder_minutes", self.reminder_minutes), "$.reminder_minutes", LONGEST_REMINDER
            ),
        )

    def _with_webhooks(self, given: Json, hands: Hands, fresh: dict[str, str]) -> NotificationSettings:
        by_name = {name: each for each in self.webhooks for name in (each.webhook_id, each.url)}
        webhooks: list[Webhook] = []
        sealed = {place: secret for place, secret in self.sealed.items() if not place.startswith("webhook.")}
        for number, each in enumerate(a_list(given, "$.webhooks", MOST_WEBHOOKS)):
            path = f"$.webhooks[{number}]"
            asked = an_object(each, path)
            before = by_name.get(str(asked.get("webhook_id") or asked.get("url")))
            if before is None and "webhook_id" in asked:
                raise Invalid("is not the id of a webhook here", path=f"{path}.webhook_id")
            webhook = _read_webhook(asked, before or Webhook(hands.new_id(), "", tuple(NoticeKind)), path)
            hands.check_url(webhook.url, f"{path}.url")
            if webhook.webhook_id in {other.webhook_id for other in webhooks}:
                raise Invalid("is there twice", path=path)
            if before is None:
                fresh[webhook.webhook_id] = hands.new_secret()
                sealed[webhook.secret_place] = hands.seal(fresh[webhook.webhook_id], webhook.secret_place)
            for place in (webhook.secret_place, webhook.previous_place):
                if place in self.sealed:
                    sealed[place] = self.sealed[place]
            webhooks.append(webhook)
        return replace(self, webhooks=tuple(webhooks), sealed=sealed)

    def _with_secrets(self, changes: JsonObject, hands: Hands) -> NotificationSettings:
        sealed = dict(self.sealed)
        for place in (SLACK_URL, TEAMS_URL, BOT_TOKEN, SIGNING_SECRET):
            room, _, name = place.partition(".")
            given = an_object(changes.get(room, {}), room).get(name, MASK)
            secret = read_secret(given, f"$.{place}", LONGEST_SECRET)
            if secret == "":
                sealed.pop(place, None)
            elif secret is not None:
                if place in (SLACK_URL, TEAMS_URL):
                    hands.check_url(secret, f"$.{place}")
                sealed[place] = hands.seal(secret, place)
        return replace(self, sealed=sealed)

    def _check_complete(self) -> None:
        needs = (
            (self.slack, (SLACK_URL,)),
            (self.teams, (TEAMS_URL,)),
            (self.slack_app, (BOT_TOKEN, SIGNING_SECRET)),
        )
        for room, places in needs:
            for place in places:
                if room.enabled and place not in self.sealed:
                    raise Invalid("is required for a channel that is enabled", path=f"$.{place}")
        if self.slack_app.enabled and not self.slack_app.channel:
            raise Invalid("is required for a channel that is enabled", path="$.slack_app.channel")


NO_NOTIFICATIONS = NotificationSettings()
"""What a tenant has that never set any."""


def _email(before: Email, given: JsonObject) -> Email:
    return Email(
        a_flag(given.get("enabled", before.enabled), "$.email.enabled"),
        _recipients(given["recipients"]) if "recipients" in given else before.recipients,
        a_number(given.get("digest_minutes", before.digest_minutes), "$.email.digest_minutes", LONGEST_DIGEST),
        a_flag(given.get("include_arguments", before.include_arguments), "$.email.include_arguments"),
    )


def _room(before: Room, changes: JsonObject, name: str) -> Room:
    given = an_object(changes.get(name, {}), name)
    return Room(
        a_flag(given.get("enabled", before.enabled), f"$.{name}.enabled"),
        a_text(given.get("channel", before.channel), f"$.{name}.channel", LONGEST_TEXT),
    )


def _recipients(given: Json) -> tuple[str, ...]:
    path = "$.email.recipients"
    found = [email_address(each, path) for each in a_list(given, path, MOST_RECIPIENTS)]
    return tuple(dict.fromkeys(found))


def _read_webhook(asked: JsonObject, before: Webhook | None, path: str) -> Webhook:
    """`before` is None for one that is stored: it says all of itself."""
    known: JsonObject = {} if before is None else _webhook_json(before)
    told: JsonObject = {**known, **{name: value for name, value in asked.items() if name not in _FIXED or not known}}
    return Webhook(
        webhook_id=a_text(told["webhook_id"], f"{path}.webhook_id", LONGEST_TEXT),
        url=a_text(told["url"], f"{path}.url", LONGEST_SECRET),
        events=event_kinds(told["events"], f"{path}.events"),
        enabled=a_flag(told["enabled"], f"{path}.enabled"),
        include_arguments=a_flag(told["include_arguments"], f"{path}.include_arguments"),
        previous_until=a_number(told["previous_until"], f"{path}.previous_until", 1 << 60),
    )


_FIXED = ("webhook_id", "previous_until")


def _webhook_json(webhook: Webhook) -> JsonObject:
    return {
        "webhook_id": webhook.webhook_id,
        "url": webhook.url,
        "events": _names(webhook.events),
        "enabled": webhook.enabled,
        "include_arguments": webhook.include_arguments,
        "previous_until": webhook.previous_until,
    }


def _names(kinds: tuple[NoticeKind, ...]) -> list[Json]:
    return [str(kind) for kind in kinds]
