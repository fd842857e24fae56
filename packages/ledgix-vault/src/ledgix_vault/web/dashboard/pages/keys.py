"""API keys: the list, making one, rotating, revoking. A secret is in one answer alone, that of the form's POST."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from ledgix_vault.errors import CallerError, Invalid
from ledgix_vault.ids import new_id
from ledgix_vault.operations.hand_out_api_keys import HandedOut, hand_out_api_key, replace_api_key, withdraw_api_key
from ledgix_vault.operations.list_api_keys import list_api_keys
from ledgix_vault.operations.steps.keys import Rights
from ledgix_vault.tenancy.api_keys import DAY, ApiKey, KeyState, days_from
from ledgix_vault.tenancy.people import Member
from ledgix_vault.tenancy.scopes import PRESETS, Preset, Scope, read_scopes
from ledgix_vault.web.dashboard.frame import SignedIn, TheForm, TheVault, flaws_of, redirect, render
from ledgix_vault.web.dashboard.once import sent_once
from ledgix_vault.web.dashboard.words import RIGHTS

router = APIRouter()
HERE = "/app/settings/keys"
SINGLE = "single"
SOON = 14 * DAY

PRESET_WORDS = {
    Preset.AGENT: "An agent: asks whether it may act, and acts when it may.",
    Preset.GATEWAY: "A service that runs approved calls: uses tokens up and reports what became of them.",
    Preset.REVIEWER: "A program that decides reviews and reads the whole ledger.",
    Preset.AUDITOR: "Reads the whole ledger and makes reports, changes nothing.",
    Preset.FULL: "Everything, settings and keys included. Keep it to yourself.",
}
LIVES = (("30", "in 30 days"), ("90", "in 90 days"), ("365", "in a year"), ("", "never, until it is revoked"))
OVERLAPS = (
    ("0", "ends now"),
    ("3600", "ends in an hour"),
    ("86400", "ends in a day"),
    ("604800", "ends in a week"),
    ("", "stays valid until it is revoked"),
)


@dataclass(frozen=True, slots=True)
class Row:
    """A key as the page shows it. `is_mine`: the person has all of its rights, so may replace and revoke it."""

    key: ApiKey
    state: KeyState
    last_used_at: int | None
    may: str
    is_mine: bool
    ends_soon: bool


@router.get("/settings/keys")
async def get_keys(request: Request, vault: TheVault, member: SignedIn) -> Response:
    """All keys of the tenant."""
    return await _page(request, vault, member)


@router.post("/settings/keys")
async def post_key(request: Request, vault: TheVault, member: SignedIn, form: TheForm) -> Response:
    """A new key; its secret is in this answer alone."""
    typed = {name: form.text(name) for name in ("name", "preset", "agent_ids", "life")}
    scopes = form.texts("scopes")
    try:
        made = await hand_out_api_key(vault, member, _rights(vault, typed, scopes), sent_once(request, member, form))
    except CallerError as error:
        flaws = flaws_of(error) if isinstance(error, Invalid) else {"preset": error.detail}
        return await _page(request, vault, member, flaws=flaws, typed={**typed, "scopes": scopes})
    return await _page(request, vault, member, made=made, done="made")


@router.post("/settings/keys/{key_id}/rotate")
async def post_rotate(key_id: str, request: Request, vault: TheVault, member: SignedIn, form: TheForm) -> Response:
    """A successor; its secret is in this answer alone."""
    overlap = form.text("overlap")
    if overlap not in dict(OVERLAPS):
        raise Invalid("must be one of those that the page offers", path="overlap")
    seconds = int(overlap) if overlap else None
    made = await replace_api_key(vault, member, key_id, seconds, sent_once(request, member, form))
    return await _page(request, vault, member, made=made, done="rotated")


@router.get("/settings/keys/{key_id}/rotate")
async def get_rotate(key_id: str, member: SignedIn) -> Response:
    """Where somebody lands who comes back to the answer of a rotation."""
    return redirect(HERE)


@router.post("/settings/keys/{key_id}/revoke")
async def post_revoke(key_id: str, vault: TheVault, member: SignedIn) -> Response:
    """Ends a key at once."""
    ended = await withdraw_api_key(vault, member, key_id)
    return redirect(HERE, said=f"The key “{ended.key.name}” is revoked.")


def _rights(vault: TheVault, typed: dict[str, str], scopes: list[str]) -> Rights:
    preset = typed["preset"]
    if preset == SINGLE and not scopes:
        raise Invalid("Tick at least one right.", path="preset")
    chosen = read_scopes(None, scopes) if preset == SINGLE else read_scopes(preset, None)
    life = typed["life"]
    if life not in dict(LIVES):
        raise Invalid("must be one of those that the page offers", path="life")
    return Rights(
        name=typed["name"],
        scopes=chosen,
        agent_ids=tuple(each for each in re.split(r"[\s,]+", typed["agent_ids"]) if each),
        expires_at=days_from(vault.clock(), int(life)) if life else None,
    )


async def _page(
    request: Request,
    vault: TheVault,
    member: Member,
    *,
    flaws: dict[str, str] | None = None,
    typed: dict[str, Any] | None = None,
    made: HandedOut | None = None,
    done: str = "",
) -> Response:
    now = vault.clock()
    rows = [_row(each.key, each.last_used_at, member, now) for each in await list_api_keys(vault, member)]
    return render(
        request,
        "keys.html",
        member=member,
        title="API keys",
        status=422 if flaws else 200,
        active=[row for row in reversed(rows) if row.state is KeyState.ACTIVE],
        ended=[row for row in reversed(rows) if row.state is not KeyState.ACTIVE],
        presets=[(preset, words) for preset, words in PRESET_WORDS.items() if _has(member, PRESETS[preset])],
        rights=[(scope, words) for scope, words in RIGHTS.items() if member.allows(scope)],
        single=SINGLE,
        lives=LIVES,
        overlaps=OVERLAPS,
        typed=typed or {"name": "", "preset": str(Preset.AGENT), "agent_ids": "", "life": "90", "scopes": []},
        flaws=flaws or {},
        made=made,
        done=done,
        once=new_id(),
        calls=_calls(made, vault.settings.public_url) if made is not None and made.secret else (),
    )


def _row(key: ApiKey, last_used_at: int | None, member: Member, now: int) -> Row:
    ends_soon = key.expires_at is not None and key.expires_at - now < SOON
    return Row(key, key.state(now), last_used_at, _may(key), _has(member, key.scopes), ends_soon)


def _may(key: ApiKey) -> str:
    """The rights in words; reading the whole ledger says that one may read it at all."""
    if key.preset is Preset.FULL:
        return "everything"
    said = [scope for scope in key.ordered_scopes if scope is not Scope.LEDGER or not key.allows(Scope.LEDGER_FULL)]
    return ", ".join(RIGHTS[scope] for scope in said)


def _has(member: Member, scopes: frozenset[Scope]) -> bool:
    return all(member.allows(scope) for scope in scopes)


def _calls(made: HandedOut, url: str) -> tuple[tuple[str, str], ...]:
    """What to paste: the environment that clients read, then a first call that this key may make."""
    environment = f"export LEDGIX_VAULT_URL={url}\nexport LEDGIX_VAULT_API_KEY={made.secret}"
    header = '-H "X-Vault-API-Key: $LEDGIX_VAULT_API_KEY"'
    call = next((path for scope, path in _FIRST_CALLS if made.key.allows(scope)), "/.well-known/jwks.json")
    if not made.key.allows(Scope.CLEARANCE):
        return ("Environment", environment), ("curl", f"curl -sS $LEDGIX_VAULT_URL{call} {header}")
    agent = next((each for each in made.key.agent_ids if not set(each) & set("*?[")), "")
    ask = '{"tool_name": "stripe_refund", "tool_args": {"amount": 45, "currency": "USD"}'
    body = f'{ask}, "agent_id": "{agent}"}}' if agent else f"{ask}}}"
    return (
        ("Environment", environment),
        ("curl", f"curl -sS $LEDGIX_VAULT_URL/request-clearance {header} \\\n  -d '{body}'"),
        ("Python", _PYTHON),
    )


_FIRST_CALLS = (
    (Scope.LEDGER, "/ledger"),
    (Scope.LEDGER_FULL, "/ledger"),
    (Scope.REVIEW, "/reviews"),
    (Scope.SCHEMAS, "/tool-schemas"),
    (Scope.POLICY, "/policies"),
    (Scope.SETTINGS, "/review-settings"),
)
_PYTHON = """import ledgix

@ledgix.guard(tool="stripe_refund")
def refund(amount: float, currency: str = "USD") -> str:
    return f"refunded {amount} {currency}"

print(refund(45))"""
