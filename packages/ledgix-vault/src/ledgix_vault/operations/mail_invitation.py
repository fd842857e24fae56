"""Mailing an invitation's link. At once and not by the outbox: the link is a secret that is kept nowhere."""

from __future__ import annotations

from dataclasses import dataclass

from ledgix_vault.notices.notice import Told
from ledgix_vault.notify.mail import MailServer, send_mail
from ledgix_vault.tenancy.invitations import Invitation
from ledgix_vault.times import rfc3339
from ledgix_vault.vault import Vault


@dataclass(frozen=True, slots=True)
class Mailed:
    """Whether the mail server took it, and what it said. Where no server is set nothing was tried."""

    tried: bool
    ok: bool
    answer: str


NOT_MAILED = Mailed(tried=False, ok=False, answer="")


async def mail_invitation(vault: Vault, invitation: Invitation, link: str, tenant_name: str) -> Mailed:
    """Sends the link to the invited address, once; the inviter has the link as well, whatever comes of it."""
    if not vault.settings.smtp_host:
        return NOT_MAILED
    told = Told(
        f"You are invited to {tenant_name}",
        (
            ("Role", invitation.role.replace("_", " ")),
            ("Good until", rfc3339(invitation.expires_at)),
            ("What to do", "Open the link and choose a password. It works once. If you don't know why, ignore it."),
        ),
        link,
        "Accept the invitation",
    )
    reply = await send_mail(MailServer.of(vault.settings), invitation.email, invitation.invitation_id, [told])
    return Mailed(tried=True, ok=reply.ok, answer=reply.answer)
