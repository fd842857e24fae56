"""People: invitations, roles, sessions and sign-in, as promised in `tenancy/people.py` and `tenancy/sessions.py`."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any, cast

import pytest
from vault_testing.house import PASSWORD, House

from ledgix_vault.clearance.decision import DeciderType
from ledgix_vault.errors import Busy, Conflict, Forbidden, Invalid, MissingScope, NotFound, Unauthenticated
from ledgix_vault.operations.accept_invitation import join_as_known, join_as_new, read_invitation
from ledgix_vault.operations.manage_members import (
    change_member_role,
    invite_member,
    read_people,
    remove_member,
    withdraw_invitation,
)
from ledgix_vault.operations.manage_sessions import change_name, change_password, read_sessions, sign_out
from ledgix_vault.operations.read_names import read_names
from ledgix_vault.operations.use_session import switch_tenant, use_session
from ledgix_vault.store.logs import read_entries
from ledgix_vault.tenancy.invitations import LIFETIME as LINK_LIFETIME
from ledgix_vault.tenancy.people import Role
from ledgix_vault.tenancy.sessions import IDLE_LIFETIME, LIFETIME

MICROSECONDS = 1_000_000
pytestmark = pytest.mark.anyio


async def test_somebody_new_joins_by_the_link_of_an_invitation_and_signs_in(vault: House) -> None:
    owner = await vault.member(Role.OWNER)
    invitation, link = await invite_member(vault.core, owner, "new@example.com", Role.REVIEWER)
    shown = await read_invitation(vault.core, link)
    assert (shown.tenant_name, shown.invitation.role, shown.is_known) == ("acme", Role.REVIEWER, False)
    await join_as_new(vault.core, link, "New Person", PASSWORD, "a browser")
    used = await vault.sign_in("new@example.com")
    assert (used.member.name, used.member.role, str(used.member.assurance)) == ("New Person", "reviewer", "password")
    people = await read_people(vault.core, owner)
    states = {each.invitation_id: each.state(vault.clock()) for each in people.invitations}
    assert states[invitation.invitation_id] == "accepted"


async def test_a_link_is_good_once_and_for_a_week(vault: House) -> None:
    owner = await vault.member(Role.OWNER)
    _, link = await invite_member(vault.core, owner, "one@example.com", Role.AUDITOR)
    await join_as_new(vault.core, link, "", PASSWORD, "")
    with pytest.raises(NotFound):
        await read_invitation(vault.core, link)
    _, late = await invite_member(vault.core, owner, "two@example.com", Role.AUDITOR)
    vault.clock.advance(LINK_LIFETIME / MICROSECONDS)
    with pytest.raises(NotFound):
        await join_as_new(vault.core, late, "", PASSWORD, "")


async def test_a_second_invitation_of_an_address_replaces_the_first(vault: House) -> None:
    owner = await vault.member(Role.OWNER)
    _, first = await invite_member(vault.core, owner, "twice@example.com", Role.OWNER)
    _, second = await invite_member(vault.core, owner, "twice@example.com", Role.AUDITOR)
    with pytest.raises(NotFound):
        await read_invitation(vault.core, first)
    assert (await read_invitation(vault.core, second)).invitation.role is Role.AUDITOR


async def test_a_withdrawn_link_is_worth_nothing(vault: House) -> None:
    owner = await vault.member(Role.OWNER)
    invitation, link = await invite_member(vault.core, owner, "gone@example.com", Role.AUDITOR)
    await withdraw_invitation(vault.core, owner, invitation.invitation_id)
    with pytest.raises(NotFound):
        await join_as_new(vault.core, link, "", PASSWORD, "")
    with pytest.raises(Conflict):
        await withdraw_invitation(vault.core, owner, invitation.invitation_id)


async def test_who_has_an_account_joins_another_tenant_by_signing_in(vault: House) -> None:
    here = await vault.member(Role.REVIEWER, "both@example.com")
    there = await vault.member(Role.OWNER, "boss@example.com", tenant=1)
    _, link = await invite_member(vault.core, there, "both@example.com", Role.AUDITOR)
    assert (await read_invitation(vault.core, link)).is_known
    with pytest.raises(Conflict):
        await join_as_new(vault.core, link, "", "another password", "")
    with pytest.raises(Forbidden):
        await join_as_known(vault.core, link, there, "")
    used = await use_session(vault.core, await join_as_known(vault.core, link, here, ""))
    assert used is not None
    assert (used.member.tenant_id, used.member.role) == (there.tenant_id, Role.AUDITOR)


async def test_a_person_switches_between_their_tenants_and_into_no_other(vault: House) -> None:
    here = await vault.member(Role.REVIEWER, "both@example.com")
    there = await vault.member(Role.OWNER, "boss@example.com", tenant=1)
    used = await vault.sign_in("both@example.com")
    with pytest.raises(NotFound):
        await switch_tenant(vault.core, used, there.tenant_id)
    _, link = await invite_member(vault.core, there, "both@example.com", Role.AUDITOR)
    await join_as_known(vault.core, link, here, "")
    moved = await use_session(vault.core, await switch_tenant(vault.core, used, there.tenant_id))
    assert moved is not None
    assert (moved.member.tenant_id, moved.member.role) == (there.tenant_id, Role.AUDITOR)
    with pytest.raises(Unauthenticated):
        await switch_tenant(vault.core, used, there.tenant_id)  # the old session is over


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.OWNER])
async def test_only_who_has_every_right_hands_them_out(vault: House, role: Role) -> None:
    member = await vault.member(role)
    with pytest.raises(MissingScope):
        await invite_member(vault.core, member, "friend@example.com", Role.OWNER)
    with pytest.raises(MissingScope):
        await read_people(vault.core, member)


async def test_a_role_counts_from_the_next_page_on(vault: House) -> None:
    owner, other = await vault.member(Role.OWNER), await vault.member(Role.REVIEWER)
    used = await vault.sign_in("the-reviewer@example.com")
    await change_member_role(vault.core, owner, other.person_id, Role.AUDITOR)
    again = await vault.sign_in("the-reviewer@example.com")
    assert (used.member.role, again.member.role) == (Role.REVIEWER, Role.AUDITOR)


async def test_who_is_removed_is_signed_out(vault: House) -> None:
    owner = await vault.member(Role.OWNER)
    _, link = await invite_member(vault.core, owner, "leaver@example.com", Role.REVIEWER)
    secret = await join_as_new(vault.core, link, "", PASSWORD, "")
    used = await use_session(vault.core, secret)
    assert used is not None
    await remove_member(vault.core, owner, used.member.person_id)
    assert await use_session(vault.core, secret) is None
    with pytest.raises(Unauthenticated):
        await vault.sign_in("leaver@example.com")


async def test_a_tenant_keeps_an_owner(vault: House) -> None:
    owner = await vault.member(Role.OWNER)
    people = await read_people(vault.core, owner)
    first = next(each for each in people.members if each.email == "owner@example.com")
    if first.person_id != owner.person_id:
        await remove_member(vault.core, owner, first.person_id)
    with pytest.raises(Conflict, match="needs an owner"):
        await change_member_role(vault.core, owner, owner.person_id, Role.AUDITOR)
    with pytest.raises(Conflict, match="needs an owner"):
        await remove_member(vault.core, owner, owner.person_id)


async def test_another_tenants_people_are_unknown(vault: House) -> None:
    owner, stranger = await vault.member(Role.OWNER), await vault.member(Role.OWNER, "boss@example.com", tenant=1)
    invitation, _ = await invite_member(vault.core, owner, "new@example.com", Role.AUDITOR)
    for attempt in (
        change_member_role(vault.core, stranger, owner.person_id, Role.AUDITOR),
        remove_member(vault.core, stranger, owner.person_id),
        withdraw_invitation(vault.core, stranger, invitation.invitation_id),
    ):
        with pytest.raises(NotFound):
            await attempt
    assert owner.email not in {each.email for each in (await read_people(vault.core, stranger)).members}


async def test_a_wrong_password_and_an_unknown_person_sound_the_same(vault: House) -> None:
    await vault.member(Role.REVIEWER)
    with pytest.raises(Unauthenticated) as wrong:
        await vault.sign_in("the-reviewer@example.com", "not the password")
    with pytest.raises(Unauthenticated) as unknown:
        await vault.sign_in("nobody@example.com", "not the password")
    assert str(wrong.value) == str(unknown.value)


async def test_guessing_is_stopped_even_before_the_right_guess(vault: House) -> None:
    await vault.member(Role.REVIEWER)
    for _ in range(10):
        with pytest.raises(Unauthenticated):
            await vault.sign_in("the-reviewer@example.com", "a guess 123")
    with pytest.raises(Busy):
        await vault.sign_in("the-reviewer@example.com")


async def test_a_session_ends_after_a_week_or_half_a_day_unused(vault: House) -> None:
    await vault.member(Role.REVIEWER)
    owner = await vault.member(Role.OWNER, "boss@example.com")
    _, link = await invite_member(vault.core, owner, "s@example.com", Role.REVIEWER)
    secret = await join_as_new(vault.core, link, "", PASSWORD, "")
    vault.clock.advance(IDLE_LIFETIME / MICROSECONDS - 1)
    assert await use_session(vault.core, secret) is not None
    for _ in range(int(LIFETIME / IDLE_LIFETIME) - 1):
        vault.clock.advance(IDLE_LIFETIME / MICROSECONDS - 1)
        assert await use_session(vault.core, secret) is not None
    vault.clock.advance(IDLE_LIFETIME / MICROSECONDS - 1)
    assert await use_session(vault.core, secret) is None


async def test_an_unused_session_is_over(vault: House) -> None:
    owner = await vault.member(Role.OWNER)
    _, link = await invite_member(vault.core, owner, "s@example.com", Role.REVIEWER)
    secret = await join_as_new(vault.core, link, "", PASSWORD, "")
    vault.clock.advance(IDLE_LIFETIME / MICROSECONDS)
    assert await use_session(vault.core, secret) is None


async def test_people_see_and_end_their_own_sessions_only(vault: House) -> None:
    await vault.member(Role.REVIEWER)
    await vault.member(Role.AUDITOR)
    mine, theirs = await vault.sign_in("the-reviewer@example.com"), await vault.sign_in("the-auditor@example.com")
    listed = {each.session_id for each in await read_sessions(vault.core, mine.member)}
    assert mine.session.session_id in listed
    assert theirs.session.session_id not in listed
    with pytest.raises(NotFound):
        await sign_out(vault.core, mine.member, theirs.session.session_id)
    await sign_out(vault.core, mine.member, mine.session.session_id)
    assert mine.session.session_id not in {each.session_id for each in await read_sessions(vault.core, mine.member)}


async def test_a_new_password_ends_the_other_sessions(vault: House) -> None:
    await vault.member(Role.REVIEWER)
    old, new = await vault.sign_in("the-reviewer@example.com"), await vault.sign_in("the-reviewer@example.com")
    with pytest.raises(Invalid, match="isn't your password"):
        await change_password(vault.core, new.member, new.session.session_id, "wrong", "another good one")
    await change_password(vault.core, new.member, new.session.session_id, PASSWORD, "another good one")
    assert [each.session_id for each in await read_sessions(vault.core, new.member)] == [new.session.session_id]
    assert old.session.session_id != new.session.session_id
    await vault.sign_in("the-reviewer@example.com", "another good one")
    with pytest.raises(Unauthenticated):
        await vault.sign_in("the-reviewer@example.com", PASSWORD)


async def test_a_person_decides_a_review_and_the_ledger_says_how_surely_they_are_known(vault: House) -> None:
    reviewer = await vault.member(Role.REVIEWER)
    asked = await vault.ask(450)
    await vault.approve(asked, by=reviewer)
    entries = await vault.core.store.read(
        lambda connection: read_entries(connection, reviewer.tenant_id, newest=1, published=0)
    )
    assert entries[0]["kind"] == "review.decided"
    decider = entries[0]["intent"]["decider"]
    assert (decider["type"], decider["id"]) == (DeciderType.PERSON, reviewer.person_id)
    assert entries[0]["action_metadata"]["assurance"] == "password"
    with pytest.raises(MissingScope):
        await vault.approve(await vault.ask(450), by=replace(reviewer, role=Role.AUDITOR))


async def test_whom_somebody_invited_who_is_removed_cannot_join(vault: House) -> None:
    owner = await vault.member(Role.OWNER)
    _, link = await invite_member(vault.core, owner, "accomplice@example.com", Role.OWNER)
    await remove_member(vault.core, vault.owner, owner.person_id)
    with pytest.raises(NotFound):
        await join_as_new(vault.core, link, "", PASSWORD, "")


async def test_whom_somebody_invited_who_has_fewer_rights_now_cannot_join(vault: House) -> None:
    owner = await vault.member(Role.OWNER)
    _, link = await invite_member(vault.core, owner, "accomplice@example.com", Role.OWNER)
    await change_member_role(vault.core, vault.owner, owner.person_id, Role.AUDITOR)
    with pytest.raises(NotFound):
        await join_as_new(vault.core, link, "", PASSWORD, "")


async def test_a_vote_counts_no_longer_than_its_voter_may_vote(vault: House) -> None:
    await vault.change(quorum=2)
    gone, stays, third = [
        await vault.member(Role.REVIEWER, f"{name}@example.com") for name in ("gone", "stays", "third")
    ]
    asked = await vault.ask(450)
    await vault.approve(asked, by=gone)
    await remove_member(vault.core, vault.owner, gone.person_id)
    assert (await vault.approve(asked, by=stays))["status"] == "pending_review"
    assert (await vault.approve(asked, by=third))["status"] == "approved"


async def test_a_new_name_is_recorded_and_never_stands_alone(vault: House) -> None:
    await vault.member(Role.REVIEWER)
    used = await vault.sign_in("the-reviewer@example.com")
    await change_name(vault.core, used.member, "Somebody Else")
    names = await read_names(vault.core, vault.owner)
    assert names[used.member.person_id] == "Somebody Else (the-reviewer@example.com)"
    look = partial(read_entries, tenant_id=used.member.tenant_id, newest=1, published=0)
    (entry,) = await vault.core.store.read(look)
    assert (entry["kind"], cast("Any", entry)["action_metadata"]["name"]) == ("person.name_changed", "Somebody Else")
