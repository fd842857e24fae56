"""Shapes of notification settings and of the delivery log."""

from __future__ import annotations

from ledgix_vault.notices.kinds import Channel, NoticeKind
from ledgix_vault.notices.quiet import DAYS
from ledgix_vault.store.notifications import DeliveryState
from ledgix_vault.web.api.components.terms import (
    BOOLEAN,
    INTEGER,
    MOMENT,
    STRING,
    UUID,
    Schema,
    a_list,
    an_object,
    one_of,
    or_null,
    ref,
)

_SECRET: Schema = {**STRING, "description": "Write-only: comes back masked; the mask stands for the stored one"}
_TIME: Schema = {"type": "string", "pattern": "^([01][0-9]|2[0-3]):[0-5][0-9]$"}
_EVENTS = a_list(one_of(*NoticeKind))

SHAPES: dict[str, Schema] = {
    "NotificationSettings": an_object(
        {},
        {
            "email": an_object(
                {},
                {
                    "enabled": BOOLEAN,
                    "recipients": {**a_list(STRING), "maxItems": 50},
                    "digest_minutes": {
                        "type": "integer",
                        "minimum": 0,
                        "maximum": 1440,
                        "description": "Collect what comes within this time into one mail; 0 sends each at once",
                    },
                    "include_arguments": BOOLEAN,
                },
            ),
            "slack": an_object({}, {"enabled": BOOLEAN, "webhook_url": _SECRET, "channel": STRING}),
            "slack_app": an_object(
                {}, {"enabled": BOOLEAN, "bot_token": _SECRET, "signing_secret": _SECRET, "channel": STRING}
            ),
            "teams": an_object({}, {"enabled": BOOLEAN, "webhook_url": _SECRET}),
            "webhooks": {**a_list(ref("Webhook")), "maxItems": 20},
            "events": {**_EVENTS, "description": "What people are told of; each webhook has its own list"},
            "quiet_hours": an_object(
                {},
                {
                    "enabled": BOOLEAN,
                    "days": {**a_list(one_of(*DAYS)), "minItems": 1},
                    "from": _TIME,
                    "until": _TIME,
                    "time_zone": {**STRING, "description": "Europe/Berlin"},
                },
            ),
            "reminder_minutes": {
                "type": "integer",
                "minimum": 0,
                "maximum": 43200,
                "description": "How long before its deadline a review is reminded of; 0 for never",
            },
        },
    ),
    "Webhook": an_object(
        {"url": STRING},
        {
            "webhook_id": {**STRING, "description": "Names a webhook that is there; it keeps its secret"},
            "events": _EVENTS,
            "enabled": BOOLEAN,
            "include_arguments": BOOLEAN,
            "previous_until": {**INTEGER, "description": "Microseconds: until then the secret before signs, too"},
            "secret": {**STRING, "description": "`whsec_…`, shown when it is made, then masked"},
        },
    ),
    "SecretRotation": an_object({}, {"overlap_hours": {"type": "integer", "minimum": 0, "maximum": 168}}),
    "TestRequest": an_object({"channel": one_of(*Channel)}, {"webhook_id": STRING}),
    "TestResult": an_object(
        {
            "ok": BOOLEAN,
            "answers": a_list(
                an_object({"target": STRING, "ok": BOOLEAN, "status": or_null(INTEGER), "answer": STRING})
            ),
        }
    ),
    "DeliveryPage": an_object({"deliveries": a_list(ref("Delivery")), "next_cursor": STRING}),
    "Delivery": an_object(
        {
            "delivery_id": UUID,
            "event": one_of(*NoticeKind),
            "request_id": STRING,
            "channel": one_of(*Channel),
            "target": {**STRING, "description": "An address, or the id of a webhook"},
            "state": one_of(*DeliveryState),
            "attempts": INTEGER,
            "created_at": MOMENT,
            "last_attempt_at": or_null(MOMENT),
            "next_attempt_at": or_null(MOMENT),
            "status": or_null(INTEGER),
            "answer": {**STRING, "description": "The first 500 characters of what came back, or why nothing did"},
        }
    ),
}
