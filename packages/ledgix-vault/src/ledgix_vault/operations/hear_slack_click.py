"""A click in Slack: whose it is has to be known before it counts for anything.

1. The message's button names its tenant; the request must be signed with the signing secret of that tenant's app, over
   the very bytes of the body, at most five minutes ago.
2. The Slack user must be linked to a person who is a member of that tenant now.
3. Who is not linked gets a link by which they can become so, once, within the hour; nothing else happens.

What the click then decides is an operation of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from secrets import token_urlsafe
from urllib.parse import parse_qs

from slack_sdk.signature import Clock, SignatureVerifier

from ledgix.errors import JsonError
from ledgix.formats import json
from ledgix.formats.json import Json, JsonObject
from ledgix_vault.errors import Unauthenticated
from ledgix_vault.ids import is_id
from ledgix_vault.notices.settings import SIGNING_SECRET
from ledgix_vault.notify.slack import APPROVE, DENY
from ledgix_vault.operations.steps.sending import NotSet, opened
from ledgix_vault.operations.steps.slack import hash_code
from ledgix_vault.store.engine import Connection
from ledgix_vault.store.people import find_member
from ledgix_vault.store.slack import add_code, find_linked_person
from ledgix_vault.store.unit import Unit
from ledgix_vault.store.writer import Outcome as Stored
from ledgix_vault.tenancy.people import Assurance, Member
from ledgix_vault.times import MICROSECONDS
from ledgix_vault.vault import Vault

CODE_SECONDS = 3600
LONGEST_USER_ID = 64


@dataclass(frozen=True, slots=True)
class Click:
    """A click that Slack vouches for. `member` is None while its Slack user is nobody here; `link` then makes them
    somebody."""

    approves: bool
    request_id: str
    response_url: str
    member: Member | None
    link: str = ""


async def hear_slack_click(vault: Vault, body: bytes, headers: Mapping[str, str]) -> Click | None:
    """The click that a request of Slack's tells of; None for one that means nothing (a button that is a link). Raises
    `Unauthenticated` for whatever isn't signed as it must be. May store a code for who isn't linked, nothing else."""
    told = _read(body)
    tenant_id, request_id = _named_by(told)
    _verify(vault, tenant_id, body, headers)
    action, user_id = _text(_first(told), "action_id"), _text(told.get("user"), "id")
    response_url = _text(told, "response_url")
    if action not in (APPROVE, DENY) or not (
        is_id(request_id) and user_id.isascii() and user_id.isalnum() and len(user_id) <= LONGEST_USER_ID
    ):
        return None
    approves = action == APPROVE
    member = await vault.store.read(partial(_member, tenant_id=tenant_id, slack_user_id=user_id))
    if member is not None:
        return Click(approves, request_id, response_url, member)
    code = token_urlsafe(32)
    await vault.store.run(partial(_keep_code, tenant_id, code, user_id))
    link = f"{vault.settings.public_url}/app/account/slack?code={code}"
    return Click(approves, request_id, response_url, None, link)


class _At(Clock):
    def __init__(self, now: int) -> None:
        self._now = now / MICROSECONDS

    def now(self) -> float:
        return self._now


def _verify(vault: Vault, tenant_id: str, body: bytes, headers: Mapping[str, str]) -> None:
    refusal = Unauthenticated("This isn't signed by a Slack app that is set here.")
    if tenant_id not in vault.store.tenant_ids():
        raise refusal
    settings = vault.store.tenant(tenant_id).notifications
    try:
        secret = opened(vault, tenant_id, settings, SIGNING_SECRET)
        verifier = SignatureVerifier(secret, _At(vault.clock()))
        holds = settings.slack_app.enabled and verifier.is_valid_request(body, dict(headers))
    except (NotSet, ValueError, TypeError):  # a time that is no number, bytes that are no text, odd signs
        raise refusal from None
    if not holds:
        raise refusal


def _member(connection: Connection, tenant_id: str, slack_user_id: str) -> Member | None:
    person_id = find_linked_person(connection, tenant_id, slack_user_id)
    found = None if person_id is None else find_member(connection, tenant_id, person_id)
    if found is None:
        return None
    return Member(tenant_id, found.person_id, found.email, found.name, found.role, Assurance.LINK)


def _keep_code(tenant_id: str, code: str, slack_user_id: str, unit: Unit) -> Stored[None]:
    add_code(unit, tenant_id, hash_code(code), slack_user_id, unit.now + CODE_SECONDS * MICROSECONDS)
    return Stored(None)


def _read(body: bytes) -> JsonObject:
    """What a form with one member `payload` holds; nothing of it is believed before the signature holds."""
    try:
        payload = parse_qs(body.decode("ascii"), max_num_fields=10).get("payload", [""])[0]
        return json.parse_object(payload.encode())
    except (JsonError, ValueError):
        raise Unauthenticated("This isn't what Slack sends for a click.") from None


def _named_by(told: JsonObject) -> tuple[str, str]:
    tenant_id, _, request_id = _text(_first(told), "value").partition("/")
    return tenant_id, request_id


def _first(told: JsonObject) -> Json:
    actions = told.get("actions")
    return actions[0] if isinstance(actions, list) and actions else None


def _text(value: Json, name: str) -> str:
    found = value.get(name) if isinstance(value, dict) else None
    return found if isinstance(found, str) else ""
