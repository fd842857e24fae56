"""Forms that are sent once: reloading the answer, or pressing twice, does nothing again."""

from __future__ import annotations

from hashlib import sha256

from fastapi import Request

from ledgix.formats import jcs
from ledgix.formats.json import JsonObject
from ledgix_vault.store.idempotency import IdempotencyKey
from ledgix_vault.tenancy.people import Member
from ledgix_vault.web.dashboard.door import Form

LONGEST = 64


def sent_once(request: Request, member: Member, form: Form) -> IdempotencyKey | None:
    """The form's own number (its hidden field `once`) with what was typed: changed fields are another form."""
    once = form.text("once")[:LONGEST]
    if not once:
        return None
    fields: JsonObject = {name: [*form.texts(name)] for name in set(form.names())}
    body = jcs.canonicalize(fields)
    return IdempotencyKey.of(
        tenant_id=member.tenant_id,
        key_id=member.person_id,
        method="POST",
        path=request.scope["path"],
        key=f"{once} {sha256(body).hexdigest()}",
        body=body,
    )
