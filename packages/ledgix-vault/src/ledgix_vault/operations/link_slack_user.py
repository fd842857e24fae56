"""Who somebody in Slack is in Ledgix: a person says so, signed in, by a code that they got in Slack."""

from __future__ import annotations

from functools import partial

from ledgix.formats.events import EventKind
from ledgix_vault.clearance.decision import decider_of
from ledgix_vault.errors import NotFound
from ledgix_vault.operations.steps.slack import hash_code, record_link
from ledgix_vault.store.slack import find_code, put_link, remove_link, slack_users_of, use_code
from ledgix_vault.store.unit import Unit
from ledgix_vault.store.writer import Outcome as Stored
from ledgix_vault.tenancy.people import Member
from ledgix_vault.vault import Vault


async def read_slack_code(vault: Vault, member: Member, code: str) -> str | None:
    """The Slack user whom a code of the person's tenant is for; None for one that doesn't hold. Changes nothing."""
    look = partial(find_code, tenant_id=member.tenant_id, code_hash=hash_code(code), now=vault.clock())
    return await vault.store.read(look)


async def read_slack_users(vault: Vault, member: Member) -> list[str]:
    """The Slack users that the person is, for the tenant that they act for."""
    return await vault.store.read(partial(slack_users_of, tenant_id=member.tenant_id, person_id=member.person_id))


async def link_slack_user(vault: Vault, member: Member, code: str) -> str:
    """Uses a code up: from now on a click by that Slack user is one by this person. Durable on return."""
    linked: str = await vault.store.run(partial(_link, member, code))
    return linked


async def unlink_slack_user(vault: Vault, member: Member, slack_user_id: str) -> None:
    """Ends one of the person's own links."""
    await vault.store.run(partial(_unlink, member, slack_user_id))


def _link(member: Member, code: str, unit: Unit) -> Stored[str]:
    slack_user_id = use_code(unit, member.tenant_id, hash_code(code))
    if slack_user_id is None:
        raise NotFound("This link was used, or is too old. Press a button in Slack again to get a new one.")
    put_link(unit, member.tenant_id, slack_user_id, member.person_id)
    record_link(
        unit,
        member.tenant_id,
        EventKind.PERSON_SLACK_LINKED,
        slack_user_id,
        member.person_id,
        member.email,
        decider_of(member),
    )
    return Stored(slack_user_id)


def _unlink(member: Member, slack_user_id: str, unit: Unit) -> Stored[None]:
    if slack_user_id not in slack_users_of(unit.connection, member.tenant_id, member.person_id):
        raise NotFound("There is no such link.")
    remove_link(unit, member.tenant_id, slack_user_id)
    record_link(
        unit,
        member.tenant_id,
        EventKind.PERSON_SLACK_UNLINKED,
        slack_user_id,
        member.person_id,
        member.email,
        decider_of(member),
    )
    return Stored(None)
