"""People of the tenant: members with their roles, invitations."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from ledgix_vault.errors import CallerError, Invalid
from ledgix_vault.operations.mail_invitation import NOT_MAILED, Mailed, mail_invitation
from ledgix_vault.operations.manage_members import (
    change_member_role,
    invite_member,
    read_people,
    remove_member,
    withdraw_invitation,
)
from ledgix_vault.tenancy.people import Role, read_email, read_role
from ledgix_vault.web.dashboard.frame import SignedIn, TheForm, TheVault, flaws_of, redirect, render

router = APIRouter()
HERE = "/app/settings/people"

ROLES = {
    Role.OWNER: "may do everything, people and keys included",
    Role.POLICY_EDITOR: "writes, tests and activates policies",
    Role.REVIEWER: "approves and denies calls that wait for a person",
    Role.AUDITOR: "reads everything and verifies it, changes nothing",
    Role.DEVELOPER: "creates keys for agents and gateways, tries calls, sees requests without their contents",
}


@router.get("/settings/people")
async def get_people(request: Request, vault: TheVault, member: SignedIn) -> Response:
    """Who belongs to the tenant, and who was invited."""
    return await _page(request, vault, member)


@router.post("/settings/people/invite")
async def post_invite(request: Request, vault: TheVault, member: SignedIn, form: TheForm) -> Response:
    """An invitation; its link is in this answer alone."""
    typed = form.text("email")
    try:
        invitation, secret = await invite_member(
            vault, member, read_email(typed, "email"), read_role(form.text("role"), "role")
        )
    except CallerError as error:
        flaws = flaws_of(error) if isinstance(error, Invalid) else {"email": error.detail}
        return await _page(request, vault, member, flaws=flaws, email=typed, role=form.text("role"))
    assert secret is not None  # nothing is replayed without a key
    link = f"{vault.settings.public_url}/app/join/{secret}"
    mailed = await mail_invitation(vault, invitation, link, vault.store.tenant(member.tenant_id).name)
    return await _page(request, vault, member, invited=invitation.email, link=link, mailed=mailed)


@router.post("/settings/people/invitations/{invitation_id}/withdraw")
async def post_withdraw(invitation_id: str, vault: TheVault, member: SignedIn) -> Response:
    """The link is worth nothing from now on."""
    await withdraw_invitation(vault, member, invitation_id)
    return redirect(HERE, said="The invitation was withdrawn.")


@router.post("/settings/people/{person_id}/role")
async def post_role(person_id: str, vault: TheVault, member: SignedIn, form: TheForm) -> Response:
    """Another role, from the person's next page on."""
    changed = await change_member_role(vault, member, person_id, read_role(form.text("role"), "role"))
    return redirect(HERE, said=f"{changed.email} is {changed.role.replace('_', ' ')} now.")


@router.post("/settings/people/{person_id}/remove")
async def post_remove(person_id: str, vault: TheVault, member: SignedIn) -> Response:
    """Ends the membership."""
    await remove_member(vault, member, person_id)
    return redirect(HERE, said="The member was removed and is signed out.")


async def _page(
    request: Request,
    vault: TheVault,
    member: SignedIn,
    *,
    flaws: dict[str, str] | None = None,
    email: str = "",
    role: str = "reviewer",
    invited: str = "",
    link: str = "",
    mailed: Mailed = NOT_MAILED,
) -> Response:
    people = await read_people(vault, member)
    return render(
        request,
        "people.html",
        member=member,
        title="People",
        status=422 if flaws else 200,
        people=people,
        pending=[each for each in people.invitations if each.state(vault.clock()) == "pending"],
        roles=ROLES,
        role_options=[(str(each), each.replace("_", " ")) for each in ROLES],
        flaws=flaws or {},
        email=email,
        role=role,
        invited=invited,
        link=link,
        mailed=mailed,
    )
