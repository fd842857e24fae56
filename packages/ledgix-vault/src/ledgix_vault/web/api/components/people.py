"""People of a tenant."""

from __future__ import annotations

from ledgix_vault.tenancy.people import Role
from ledgix_vault.web.api.components.terms import (
    BOOLEAN,
    MOMENT,
    STRING,
    TEXT_OR_NULL,
    UUID,
    Schema,
    a_list,
    an_object,
    one_of,
    ref,
)

_INVITATION: dict[str, Schema] = {
    "invitation_id": UUID,
    "email": STRING,
    "role": one_of(*Role),
    "state": one_of("pending", "accepted", "withdrawn", "expired"),
    "invited_by": {**STRING, "description": "A person or an API key; empty for the command line"},
    "invited_at": MOMENT,
    "expires_at": MOMENT,
}

SHAPES: dict[str, Schema] = {
    "Member": an_object(
        {"person_id": UUID, "email": STRING, "name": STRING, "role": one_of(*Role), "joined_at": MOMENT}
    ),
    "MemberRemoved": an_object({"person_id": UUID, "removed": BOOLEAN}),
    "RoleChange": an_object({"role": one_of(*Role)}),
    "ListedInvitation": an_object(_INVITATION),
    "Invitation": an_object(
        {
            **_INVITATION,
            "link": {**TEXT_OR_NULL, "description": "Shown once; null in a replay"},
            "mailed": {**BOOLEAN, "description": "Whether the mail server took a mail with the link"},
        }
    ),
    "InvitationRequest": an_object(
        {"email": {"type": "string", "format": "email", "maxLength": 254}, "role": one_of(*Role)}
    ),
    "InvitationWithdrawn": an_object({"invitation_id": UUID, "state": one_of("withdrawn")}),
    "People": an_object({"members": a_list(ref("Member")), "invitations": a_list(ref("ListedInvitation"))}),
}
