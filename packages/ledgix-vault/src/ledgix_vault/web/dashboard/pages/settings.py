"""Where the settings are, as far as somebody may see them, and what there is to know of the tenant itself."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import APIRouter, Request
from starlette.responses import Response

from ledgix_vault.operations.read_tenant import read_tenant
from ledgix_vault.tenancy.people import Member, Role
from ledgix_vault.tenancy.scopes import Scope
from ledgix_vault.web.dashboard.frame import SignedIn, TheVault, render

router = APIRouter()


@dataclass(frozen=True, slots=True)
class Place:
    """A page of settings. `scopes`: one of them is enough; none means everybody. `roles` may see it all the same."""

    name: str
    path: str
    what: str
    scopes: tuple[Scope, ...] = (Scope.SETTINGS,)
    roles: tuple[Role, ...] = ()


PLACES = (
    Place("Decisions and reviews", "/settings/decisions", "How sure a decision must be, and what reviewers may do."),
    Place("Kill switch", "/settings/kill-switch", "Stop an agent, a tool or everything at once."),
    Place("People", "/settings/people", "Who signs in here, and what each of them may do."),
    Place("API keys", "/settings/keys", "How programs are known to the Vault.", roles=(Role.DEVELOPER,)),
    Place("Notifications", "/settings/notifications", "Who is told, and how, when a person is needed."),
    Place("Judge", "/settings/judge", "A language model that reads what no rule can."),
    Place("Sign-in", "/settings/single-sign-on", "Your company’s single sign-on, and second factors for all members."),
    Place("Getting started", "/start", "A key, a policy, a first request: the short path.", scopes=()),
    Place("Tenant", "/settings/tenant", "The tenant’s id, and the keys that auditors need.", scopes=()),
)


@router.get("/settings")
async def get_settings(request: Request, member: SignedIn) -> Response:
    """Links to every page of settings that this person may open."""
    places = [place for place in PLACES if place.path in request.app.state.paths and _may_see(member, place)]
    return render(request, "settings.html", member=member, title="Settings", places=places)


@router.get("/settings/tenant")
async def get_tenant(request: Request, vault: TheVault, member: SignedIn) -> Response:
    """Name, id, ledger keys, how far the ledger is signed, how long what is kept."""
    return render(
        request,
        "tenant.html",
        member=member,
        title="Tenant",
        facts=await read_tenant(vault, member),
        hours=vault.settings.idempotency_hours,
    )


def _may_see(member: Member, place: Place) -> bool:
    return not place.scopes or member.role in place.roles or any(member.allows(scope) for scope in place.scopes)
