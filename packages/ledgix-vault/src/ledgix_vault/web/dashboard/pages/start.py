"""Getting started: from nothing to a first request that an agent asked, in a few minutes."""

from __future__ import annotations

import json
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from ledgix_vault.clearance.searching import Sought
from ledgix_vault.errors import NotFound
from ledgix_vault.ids import new_id
from ledgix_vault.operations.hand_out_api_keys import HandedOut, hand_out_api_key
from ledgix_vault.operations.register_policy import register_policy
from ledgix_vault.operations.search_requests import search_requests
from ledgix_vault.operations.steps.keys import Rights
from ledgix_vault.policy.versions import VersionState
from ledgix_vault.tenancy.people import Member, Role
from ledgix_vault.tenancy.scopes import PRESETS, Preset, Scope
from ledgix_vault.web.dashboard.frame import SignedIn, TheForm, TheVault, redirect, render
from ledgix_vault.web.dashboard.once import sent_once
from ledgix_vault.web.dashboard.shown.draft_form import form_of_starter
from ledgix_vault.web.dashboard.shown.starters import FirstCall, starter_named, starters

router = APIRouter()
HERE = "/app/start"
FIRST_KEY = "First agent"
AGENT = "first-agent"
PLACE = "PUT-YOUR-KEY-HERE"


@router.get("/start")
async def get_start(request: Request, vault: TheVault, member: SignedIn) -> Response:
    """The steps, those that are done ticked; it follows what happens."""
    return await _page(request, vault, member)


@router.post("/start/key")
async def post_key(request: Request, vault: TheVault, member: SignedIn, form: TheForm) -> Response:
    """A key for a first agent; its secret is in this answer alone."""
    rights = Rights(FIRST_KEY, PRESETS[Preset.AGENT], (), None)
    made = await hand_out_api_key(vault, member, rights, sent_once(request, member, form))
    return await _page(request, vault, member, made)


@router.get("/start/key")
async def get_key(member: SignedIn) -> Response:
    """Where somebody lands who comes back to the answer with the key."""
    return redirect(HERE)


@router.post("/start/policy")
async def post_policy(vault: TheVault, member: SignedIn, form: TheForm) -> Response:
    """One of the starters, in force at once unless the tenant asks for two people."""
    starter = starter_named(form.text("starter"))
    if starter is None:
        raise NotFound("There is no such policy to start with.")
    made, _ = await register_policy(vault, member, form_of_starter(starter).registration(), None)
    if made.state is VersionState.ACTIVE:
        return redirect(HERE, said=f"The policy “{made.policy_id}” is in force.")
    return redirect(HERE, said=f"The policy “{made.policy_id}” is a draft; somebody else has to activate it.")


async def _page(request: Request, vault: TheVault, member: Member, made: HandedOut | None = None) -> Response:
    state = vault.store.tenant(member.tenant_id)
    now = vault.clock()
    newest = (await search_requests(vault, member, Sought(), limit=1, cursor="")).requests
    keys = [key for key in state.keys if key.is_valid(now) and key.allows(Scope.CLEARANCE) and not _is_first(key)]
    active = {policy.document.policy_id for policy in state.snapshot.policies}
    first_calls = {each.policy.policy_id: each.first_call for each in starters() if each.first_call is not None}
    call = next((call for policy_id, call in first_calls.items() if policy_id in active), None)
    return render(
        request,
        "start.html",
        member=member,
        title="Getting started",
        has_key=bool(keys),
        policies=sorted(active),
        starters=[each for each in starters() if each.first_call is not None],
        further=call.further if call is not None else "",
        newest=newest[0] if newest else None,
        made=made,
        once=new_id(),
        may_make_keys=member.allows(Scope.SETTINGS) or member.role is Role.DEVELOPER,
        may_write_policies=member.allows(Scope.POLICY),
        may_play=member.allows(Scope.POLICY) or member.allows(Scope.CLEARANCE),
        environment=_environment(made, vault.settings.public_url),
        snippets=_snippets(call or next(iter(first_calls.values()))),
    )


def _is_first(key: Any) -> bool:
    """The key that came with the Vault may do everything; an agent should have one of its own."""
    return key.preset is Preset.FULL


def _environment(made: HandedOut | None, url: str) -> str:
    secret = made.secret if made is not None and made.secret else PLACE
    return f"export LEDGIX_VAULT_URL={url}\nexport LEDGIX_VAULT_API_KEY={secret}\nexport LEDGIX_AGENT_ID={AGENT}"


def _snippets(call: FirstCall) -> tuple[tuple[str, str], ...]:
    """The first call, for a shell and for Python; both read the environment above."""
    body = json.dumps({"tool_name": call.tool, "tool_args": call.args, "agent_id": AGENT})
    values: dict[str, Any] = call.args
    given = ", ".join(f"{name}={value!r}" for name, value in values.items())
    curl = (
        "curl -sS $LEDGIX_VAULT_URL/request-clearance \\\n"
        '  -H "X-Vault-API-Key: $LEDGIX_VAULT_API_KEY" \\\n'
        f"  -d '{body}'"
    )
    python = (
        "import ledgix\n\n"
        f'@ledgix.guard(tool="{call.tool}")\n'
        f"def {call.tool}({', '.join(values)}):\n"
        '    return "done"  # your code: it runs only if the Vault approves\n\n'
        f"print({call.tool}({given}))"
    )
    return ("Shell", curl), ("Python", python)
