"""People of the tenant: members with their roles, and invitations."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from ledgix.formats.json import Json
from ledgix_vault.operations.mail_invitation import NOT_MAILED, mail_invitation
from ledgix_vault.operations.manage_members import (
    change_member_role,
    invite_member,
    read_people,
    remove_member,
    withdraw_invitation,
)
from ledgix_vault.tenancy.people import read_email, read_role
from ledgix_vault.web.api.context import AKnock, Caller, TheVault, exact_json
from ledgix_vault.web.api.shapes import answers, body

router = APIRouter(tags=["Members"])


@router.get("/members", **answers("People"))
async def get_members(vault: TheVault, caller: Caller) -> Response:
    """Who belongs to the tenant, with which role, and who was invited, newest first."""
    people, now = await read_people(vault, caller), vault.clock()
    members: list[Json] = [member.to_json() for member in people.members]
    invitations: list[Json] = [invitation.to_json(now) for invitation in people.invitations]
    return exact_json({"members": members, "invitations": invitations})


@router.post("/members/invitations", **answers("Invitation", 409, 422), openapi_extra=body("InvitationRequest"))
async def post_invitation(vault: TheVault, asked: AKnock) -> Response:
    """Invite somebody by the link in the answer: it works once, for a week, and is shown once. A replay has none. With
    a mail server the link is mailed as well; `mailed` says whether the server took it."""
    content = asked.json()
    email, role = read_email(content.get("email")), read_role(content.get("role"))
    invitation, secret = await invite_member(vault, asked.caller, email, role, asked.key)
    link = None if secret is None else f"{vault.settings.public_url}/app/join/{secret}"
    mailed = NOT_MAILED
    if link is not None:
        mailed = await mail_invitation(vault, invitation, link, vault.store.tenant(asked.caller.tenant_id).name)
    shown = {**invitation.to_json(vault.clock()), "link": link, "mailed": mailed.ok}
    return exact_json(shown, replayed=secret is None)


@router.delete("/members/invitations/{invitation_id}", **answers("InvitationWithdrawn", 404, 409))
async def delete_invitation(invitation_id: str, vault: TheVault, caller: Caller) -> Response:
    """Withdraw an invitation that nobody accepted."""
    await withdraw_invitation(vault, caller, invitation_id)
    return exact_json({"invitation_id": invitation_id, "state": "withdrawn"})


@router.put(
    "/members/{person_id}", **answers("Member", 404, 409, 422), openapi_extra=body("RoleChange", idempotent=False)
)
async def put_member(person_id: str, vault: TheVault, asked: AKnock) -> Response:
    """Give a member another role. Nobody gives or takes rights that they lack, and a tenant keeps an owner."""
    role = read_role(asked.json().get("role"))
    return exact_json((await change_member_role(vault, asked.caller, person_id, role)).to_json())


@router.delete("/members/{person_id}", **answers("MemberRemoved", 404, 409))
async def delete_member(person_id: str, vault: TheVault, caller: Caller) -> Response:
    """Remove a member and end their sessions for this tenant; what they did stays theirs in the ledger."""
    await remove_member(vault, caller, person_id)
    return exact_json({"person_id": person_id, "removed": True})
