"""Mails by the operator's SMTP server: each as text and as HTML, with what is inside escaped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from email.message import EmailMessage
from html import escape

import aiosmtplib

from ledgix_vault.notices.notice import Told
from ledgix_vault.notify.reply import Reply, refusal
from ledgix_vault.settings import Settings, SmtpTls

DEADLINE = 20.0


@dataclass(frozen=True, slots=True)
class MailServer:
    """Where mails go out, and as whom."""

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    sender: str
    tls: SmtpTls

    @classmethod
    def of(cls, settings: Settings) -> MailServer:
        password = settings.smtp_password
        return cls(
            settings.smtp_host,
            settings.smtp_port,
            settings.smtp_user,
            password.get_secret_value() if password is not None else "",
            settings.smtp_from,
            settings.smtp_tls,
        )


async def send_mail(server: MailServer, recipient: str, message_id: str, told: Sequence[Told]) -> Reply:
    """One mail that tells all of it. The same `message_id` again is the same mail."""
    if not server.host or not server.sender:
        return refusal("No mail server is set: the operator sets VAULT_SMTP_HOST and VAULT_SMTP_FROM.")
    try:
        _, answer = await aiosmtplib.send(
            _message(server.sender, recipient, message_id, told),
            hostname=server.host,
            port=server.port,
            username=server.user or None,
            password=server.password or None,
            use_tls=server.tls is SmtpTls.TLS,
            start_tls=server.tls is SmtpTls.STARTTLS,
            timeout=DEADLINE,
        )
    except aiosmtplib.SMTPRecipientsRefused as error:
        first = error.recipients[0]
        return refusal(f"The mail server refuses the recipient: {first.message}", first.code)
    except aiosmtplib.SMTPResponseException as error:
        return refusal(error.message, error.code)
    except (aiosmtplib.SMTPException, OSError, ValueError) as error:
        return refusal(f"The mail server can't be used: {error}")
    return Reply(True, 250, answer)


def subject_of(told: Sequence[Told]) -> str:
    """One line for all of it."""
    return told[0].headline if len(told) == 1 else f"{len(told)} notices: {told[0].headline}, …"


def _message(sender: str, recipient: str, message_id: str, told: Sequence[Told]) -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = sender, recipient, subject_of(told)
    message["Message-ID"] = f"<{message_id}@{sender.rpartition('@')[2].strip('<> ')}>"
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834 section 5: nobody's holiday note answers
    message.set_content("\n\n\n".join(each.text() for each in told) + f"\n\n-- \n{FOOTER}\n")
    message.add_alternative(_html(told), subtype="html")
    return message


FOOTER = "Sent by Ledgix. Nothing is decided by opening a link: you sign in and press a button."
_TABLE = 'cellpadding="6" cellspacing="0" style="border-collapse:collapse;font-size:15px"'


def _html(told: Sequence[Told]) -> str:
    parts = "".join(_part(each) for each in told)
    return (
        '<!doctype html><html lang="en"><body style="font-family:sans-serif;color:#1a2230;max-width:640px">'
        f'{parts}<p style="color:#5b6675;font-size:13px">{escape(FOOTER)}</p></body></html>'
    )


def _part(told: Told) -> str:
    rows = "".join(
        f'<tr><th align="left" valign="top" style="color:#5b6675;font-weight:normal;white-space:nowrap">{escape(name)}'
        f"</th><td>{escape(value)}</td></tr>"
        for name, value in told.lines
    )
    link = escape(told.link, quote=True)
    return (
        f'<h1 style="font-size:19px">{escape(told.headline)}</h1><table role="presentation" {_TABLE}>{rows}</table>'
        f'<p><a href="{link}" style="display:inline-block;padding:10px 16px;background:#1f5fbf;color:#fff;'
        f'text-decoration:none;border-radius:6px">{escape(told.link_text)}</a></p>'
    )
