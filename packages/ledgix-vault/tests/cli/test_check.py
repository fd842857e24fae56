"""`check` finds every row that was edited behind the Vault's back, and says where."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from vault_testing.fake_provider import FakeProvider, fake_provider
from vault_testing.house import House, Template
from vault_testing.sign_in import add_app, add_passkey, come_by_single_sign_on
from vault_testing.soft_passkey import SoftPasskey

from ledgix.formats import jcs
from ledgix_vault.app import open_keys, open_vault
from ledgix_vault.clearance.decision import SYSTEM
from ledgix_vault.clearance.request import ClearanceRequest
from ledgix_vault.documents.confluence import ConfluenceAccess
from ledgix_vault.errors import StartRefused
from ledgix_vault.operations.add_document import add_document
from ledgix_vault.operations.check_vault import CheckReport, check_vault
from ledgix_vault.operations.confirm_session import confirm_by_code
from ledgix_vault.operations.connect_confluence import connect_confluence
from ledgix_vault.operations.create_tenant import create_tenant
from ledgix_vault.operations.hand_out_api_keys import hand_out_api_key, replace_api_key
from ledgix_vault.operations.manage_api_keys import create_api_key, revoke_api_key, rotate_api_key
from ledgix_vault.operations.manage_factors import remove_app
from ledgix_vault.operations.manage_members import (
    change_member_role,
    invite_member,
    remove_member,
    withdraw_invitation,
)
from ledgix_vault.operations.manage_sessions import read_sessions
from ledgix_vault.operations.note_key_use import note_key_use
from ledgix_vault.operations.recover_logs import recover_logs
from ledgix_vault.operations.register_tool_schema import register_tool_schema
from ledgix_vault.operations.request_clearance import request_clearance
from ledgix_vault.operations.second_reviewer import ask_second_reviewer
from ledgix_vault.operations.sign_checkpoints import sign_checkpoints
from ledgix_vault.operations.steps.documents import Incoming
from ledgix_vault.operations.steps.keys import Rights
from ledgix_vault.settings import Settings
from ledgix_vault.sources.document import MediaKind, Origin
from ledgix_vault.store import schema
from ledgix_vault.store.dbapi import sqlite
from ledgix_vault.store.high_water import read_cells
from ledgix_vault.store.read_only import frozen_view
from ledgix_vault.tenancy.api_keys import DAY
from ledgix_vault.tenancy.judge_settings import JudgeSettings
from ledgix_vault.tenancy.people import Assurance, Member, Role
from ledgix_vault.tenancy.scopes import PRESETS, Preset, Scope
from ledgix_vault.vault import Vault

ENTRIES = 256  # as many as a tile holds


@pytest.fixture(scope="session")
def eventful(sqlite_template: Template, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data directory of a Vault in which everything has happened once."""
    directory = tmp_path_factory.mktemp("eventful") / "vault"
    with (
        fake_provider() as provider,
        sqlite_template.copy(sign_on_hosts=f"127.0.0.1:{provider.port}") as house,
    ):
        asyncio.run(_live(house, provider))
        house.close()
        shutil.copytree(house.settings.data_dir, directory)
    return directory


async def _live(house: House, provider: FakeProvider) -> None:
    owner = house.owner
    agent, reviewer = await house.key(Preset.AGENT), await house.key(Preset.REVIEWER)
    second = await house.key(Preset.REVIEWER, "second")
    await register_tool_schema(house.core, owner, "stripe_refund", _schema())
    await house.register("Refunds must not exceed $500", "Amounts above 100 USD need review")
    asked = await house.ask(45, by=agent)
    await house.mint(asked, by=agent)
    await house.consume(asked)
    await house.ask(4500, by=agent)
    await house.approve(fetched := await house.ask(450, by=agent), by=reviewer)
    await house.poll(fetched, by=agent)
    await house.consume(await house.poll(fetched, by=agent))
    await house.approve(await house.ask(450, by=agent), by=reviewer)
    await house.deny(await house.ask(450, by=agent), by=reviewer)
    await house.deny(await house.ask(450, by=agent), by=agent)
    await _reviewed_by_people(house)
    await house.change(quorum=2, review_expiry_seconds=600)
    await house.approve(twice := await house.ask(450, by=agent), by=reviewer)
    await house.approve(twice, by=second)
    await house.approve(await house.ask(450, by=agent), by=reviewer)
    await house.ask(450, by=agent)
    await house.checkpoint()
    house.clock.advance(601)
    await house.do_what_is_due()
    await house.ask(450, by=agent)
    await rotate_api_key(house.core, owner.tenant_id, agent.key_id, SYSTEM)
    await revoke_api_key(house.core, owner.tenant_id, second.key_id, SYSTEM)
    await _keys_that_end(house)
    await house.release(await house.suspend("agent", "rogue-*"))
    await house.suspend("tool", "wire_money")
    await house.checkpoint()
    policy = Incoming("policy", "policy.md", MediaKind.MARKDOWN, Origin.UPLOAD, b"# Refunds\n\nAt most 500 USD.")
    await add_document(house.core, owner, policy, None)
    await connect_confluence(house.core, owner, ConfluenceAccess("https://wiki.example", "me@example.com", "token"))
    await _versions(house)
    await _people(house)
    await _ways_in(house, provider)
    await house.ask(4500)
    await house.checkpoint()


async def _reviewed_by_people(house: House) -> None:
    """One is approved by two roles after a second reviewer was asked for, one waits for too long."""
    clerk = await house.member(Role.REVIEWER, "clerk@example.com")
    chief = await house.member(Role.OWNER, "chief@example.com")
    await house.change(quorum_roles=["owner"], escalation_seconds=60)
    asked = await house.ask(450)
    await ask_second_reviewer(house.core, clerk, str(asked["request_id"]), "I know the customer.", None)
    await house.approve(asked, by=clerk, reason="It broke.")
    await house.approve(asked, by=chief, reason="")
    waits = await house.ask(450)
    house.clock.advance(60)
    await house.do_what_is_due()
    await house.deny(waits)
    await house.change(quorum_roles=[], escalation_seconds=0)


async def _people(house: House) -> None:
    """One joined and got another role, one was removed, one is invited, one no longer; one is of two tenants."""
    moved, gone = await house.member(Role.REVIEWER), await house.member(Role.AUDITOR)
    await change_member_role(house.core, house.owner, moved.person_id, Role.DEVELOPER)
    await remove_member(house.core, house.owner, gone.person_id)
    await invite_member(house.core, house.owner, "invited@example.com", Role.REVIEWER)
    withdrawn, _ = await invite_member(house.core, house.owner, "uninvited@example.com", Role.REVIEWER)
    await withdraw_invitation(house.core, house.owner, withdrawn.invitation_id)


async def _keys_that_end(house: House) -> None:
    """A person made one that expires, and replaced it with an overlap; it was used."""
    person = Member(house.owner.tenant_id, "person", "p@example.com", "P", Role.OWNER, Assurance.SECOND_FACTOR)
    rights = Rights("short", PRESETS[Preset.AGENT], ("a-*",), house.clock() + 30 * DAY)
    made = await hand_out_api_key(house.core, person, rights)
    await replace_api_key(house.core, person, made.key.key_id, 3600)
    house.core.store.key_use.saw(house.owner.tenant_id, made.key.key_id, house.clock())
    await note_key_use(house.core)


async def _ways_in(house: House, provider: FakeProvider) -> None:
    """One member has an app, a passkey and recovery codes, of which one is used; one had an app; one came by single
    sign-on."""
    await house.member(Role.REVIEWER, "armed@example.com")
    here = await house.sign_in("armed@example.com")
    _, codes = await add_app(house, here)
    await confirm_by_code(house.core, here.member, here.session, codes[0], "")
    (session,) = await read_sessions(house.core, here.member)
    await add_passkey(house, replace(here, session=session), SoftPasskey(house.settings.public_url, "127.0.0.1"))
    await house.member(Role.REVIEWER, "disarmed@example.com")
    there = await house.sign_in("disarmed@example.com")
    await add_app(house, there)
    (session,) = await read_sessions(house.core, there.member)
    await remove_app(house.core, there.member, session)
    await come_by_single_sign_on(house, provider, "sso@example.com")


async def _versions(house: House) -> None:
    """Version 3 came and went, version 4 is a shadow, version 5 waits; version 2 is active."""
    for number in (3, 4, 5):
        await house.draft(f"Refunds must not exceed ${number}00")
    for number in (3, 4):
        await house.confirm(number)
    await house.activate(3)
    await house.roll_back()
    await house.shadow(4)


@pytest.fixture(scope="session")
def tall(eventful: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with more entries than a tile holds."""
    directory = tmp_path_factory.mktemp("tall") / "vault"
    shutil.copytree(eventful, directory)
    settings = Settings.load(data_dir=directory)
    with open_vault(settings) as opened:
        vault = opened.vault
        (acme,) = [tenant for tenant in vault.store.tenants() if tenant.name == "acme"]
        owner = next(key for key in acme.keys if len(key.scopes) == len(Scope))

        async def ask_often() -> None:
            asked = ClearanceRequest.parse({"tool_name": "stripe_refund"})
            await asyncio.gather(*(request_clearance(vault, owner, asked, None) for _ in range(ENTRIES)))
            await sign_checkpoints(vault, opened.high_water)

        asyncio.run(ask_often())
    return directory


def _schema() -> dict[str, Any]:
    return {"type": "object", "properties": {"amount": {"type": "number"}}}


@pytest.fixture
def settings(eventful: Path, tmp_path: Path) -> Settings:
    """A copy of the eventful Vault."""
    shutil.copytree(eventful, tmp_path / "vault")
    return Settings.load(data_dir=tmp_path / "vault")


@pytest.fixture
def tall_settings(tall: Path, tmp_path: Path) -> Settings:
    """A copy of the tall Vault."""
    shutil.copytree(tall, tmp_path / "tall")
    return Settings.load(data_dir=tmp_path / "tall")


def checked(settings: Settings) -> CheckReport:
    cells = read_cells(settings.high_water)
    with frozen_view(settings) as connection:
        return check_vault(connection, cells, partial(open_keys, settings))


def flaws(settings: Settings) -> str:
    report = checked(settings)
    assert not report.intact
    return "\n".join([*report.flaws, *(f"{tenant.name}: {flaw}" for tenant in report.tenants for flaw in tenant.flaws)])


@contextlib.contextmanager
def edited(path: Path) -> Iterator[sqlite.Connection]:
    """The database in the hands of somebody who may write it: the triggers go first."""
    with contextlib.closing(sqlite.connect(path)) as connection:
        triggers = connection.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'").fetchall()
        for name, _ in triggers:
            connection.execute(f"DROP TRIGGER {name}")
        yield connection
        for _, sql in triggers:
            connection.execute(sql)
        connection.commit()


def edit(settings: Settings, sql: str) -> None:
    with edited(settings.database_file) as connection:
        changed = connection.execute(sql).rowcount
        assert changed != 0, "this edit changes nothing"


def test_an_untouched_vault_is_intact(settings: Settings) -> None:
    report = checked(settings)
    assert report.intact, report
    by_name = {tenant.name: tenant for tenant in report.tenants}
    assert by_name["acme"].entries > 30
    assert by_name["acme"].checkpoints == 3
    assert by_name["other"].entries == 3


def test_looking_changes_nothing(settings: Settings) -> None:
    before = settings.database_file.read_bytes(), settings.high_water.read_bytes()
    checked(settings)
    assert (settings.database_file.read_bytes(), settings.high_water.read_bytes()) == before


ACME = "(SELECT tenant_id FROM tenant WHERE name = 'acme')"
ACTIVE = f"tenant_id = {ACME} AND state = 'active'"
OTHER = "(SELECT tenant_id FROM tenant WHERE name = 'other')"
APPROVED = f"tenant_id = {ACME} AND outcome = 'approved'"
CONSUMED = f"{APPROVED} AND consumed_at IS NOT NULL AND pick_up_until IS NULL"
FETCHED = f"{APPROVED} AND pick_up_until IS NOT NULL AND consumed_at IS NOT NULL"
UNFETCHED = f"{APPROVED} AND pick_up_until IS NOT NULL AND issued_at IS NULL"
DENIED = f"tenant_id = {ACME} AND request_id = (SELECT max(request_id) FROM clearance WHERE outcome = 'denied')"
PENDING = f"tenant_id = {ACME} AND status = 'pending'"
INVITED = f"tenant_id = {ACME} AND ended_at IS NULL"
NO_JUDGE = jcs.canonicalize(JudgeSettings().to_json()).decode()
ENTRY_9 = f"tenant_id = {ACME} AND leaf_index = 8"

EDITS = {
    # the ledger
    "an entry's intent": (f"UPDATE event SET intent = replace(intent, '45', '46') WHERE {ENTRY_9}", "entry 9"),
    "an intent's spelling": (f"UPDATE event SET intent = intent || ' ' WHERE {ENTRY_9}", "entry 9: its intent is not"),
    "an intent that is none": (f"UPDATE event SET intent = '{{}}' WHERE {ENTRY_9}", "entry 9 can't be read"),
    "an intent of another shape": (f"UPDATE event SET intent = '[]' WHERE {ENTRY_9}", "entry 9 can't be read"),
    "an intent that is no JSON": (f"UPDATE event SET intent = '{{' WHERE {ENTRY_9}", "entry 9 can't be read"),
    "an intent's inside": (
        f"UPDATE event SET intent = json_set(intent, '$.request', 5) WHERE {ENTRY_9}",
        "entry 9 can't be read",
    ),
    "an entry's grounds": (
        f"UPDATE event SET grounds = json_set(grounds, '$.reason', 'fine') WHERE {ENTRY_9}",
        "entry 9 was changed",
    ),
    "grounds of another shape": (f"UPDATE event SET grounds = '[]' WHERE {ENTRY_9}", "entry 9 can't be read"),
    "an entry's time": (f"UPDATE event SET accepted_at = '2020-01-01T00:00:00.000000Z' WHERE {ENTRY_9}", "entry 9"),
    "an entry's id": (
        f"UPDATE event SET event_uuid = '01890000-0000-7000-8000-000000000000' WHERE {ENTRY_9}",
        "entry 9",
    ),
    "an entry's hash": (f"UPDATE event SET event_hash = zeroblob(32) WHERE {ENTRY_9}", "entry 9 was changed"),
    "an entry's hash as text": (
        f"UPDATE event SET event_hash = 'abcdefghabcdefghabcdefghabcdefgh' WHERE {ENTRY_9}",
        "entry 9",
    ),
    "an entry's index column": (f"UPDATE event SET kind = 'token.consumed' WHERE {ENTRY_9}", "entry 9"),
    "an entry's request": (f"UPDATE event SET request_id = 'other' WHERE {ENTRY_9}", "entry 9"),
    "a receipt": (f"UPDATE event SET receipt_signature = zeroblob(64) WHERE {ENTRY_9}", "receipt is not signed"),
    "a receipt's key": (f"UPDATE event SET receipt_key_id = 'nobody' WHERE {ENTRY_9}", "its receipt names a key"),
    "an entry gone": (f"DELETE FROM event WHERE {ENTRY_9}", "entry 9 is missing"),
    "the last entry gone": (
        f"DELETE FROM event WHERE tenant_id = {ACME} AND leaf_index = (SELECT max(leaf_index) FROM event)",
        "there are",
    ),
    "two entries swapped": (
        f"UPDATE event SET leaf_index = -1 - leaf_index WHERE tenant_id = {ACME} AND leaf_index IN (8, 9);"
        f"UPDATE event SET leaf_index = 16 + leaf_index + 2 WHERE tenant_id = {ACME} AND leaf_index < 0",
        "checkpoint 1 signs another root",
    ),
    "an entry of another tenant": (
        f"UPDATE event SET tenant_id = {OTHER}, leaf_index = 3 WHERE {ENTRY_9}",
        "entry 9 is missing",
    ),
    "a checkpoint's root": (
        f"UPDATE checkpoint SET root_hash = '{'0' * 64}' WHERE tenant_id = {ACME} AND checkpoint_id = 2",
        "checkpoint 2 signs another root",
    ),
    "a checkpoint's signature": (
        f"UPDATE checkpoint SET signature = zeroblob(64) WHERE tenant_id = {ACME} AND checkpoint_id = 2",
        "checkpoint 2",
    ),
    "a checkpoint's time": (
        "UPDATE checkpoint SET signed_at = '2020-01-01T00:00:00.000000Z' WHERE checkpoint_id = 2",
        "checkpoint 2",
    ),
    "a checkpoint's promise": ("UPDATE checkpoint SET mmd_seconds = 5 WHERE checkpoint_id = 2", "checkpoint 2"),
    "a checkpoint's size": ("UPDATE checkpoint SET tree_size = tree_size - 1 WHERE checkpoint_id = 2", "checkpoint 2"),
    "a checkpoint gone": ("DELETE FROM checkpoint WHERE checkpoint_id = 2", "checkpoint 2 is missing"),
    "the last checkpoint gone": ("DELETE FROM checkpoint WHERE checkpoint_id = 3", "checkpoint 3 was signed"),
    "the head's size": (f"UPDATE log SET size = size - 1 WHERE tenant_id = {ACME}", "the log's head counts"),
    "the head's root": (f"UPDATE log SET root = zeroblob(32) WHERE tenant_id = {ACME}", "the log's head"),
    "the head's frontier": (f"UPDATE log SET frontier = zeroblob(32) WHERE tenant_id = {ACME}", "the log's head"),
    "the head's key": (
        f"UPDATE log SET key_id = (SELECT key_id FROM log WHERE tenant_id = {OTHER}) WHERE tenant_id = {ACME}",
        "the log's head names the signing key",
    ),
    "the head's time": (f"UPDATE log SET last_accepted_at = 9e15 WHERE tenant_id = {ACME}", "the log's head says"),
    # people
    "a role": (f"UPDATE membership SET role = 'owner' WHERE tenant_id = {ACME} AND role = 'developer'", "about role"),
    "a member that nobody invited": (
        f"INSERT INTO membership SELECT {ACME}, '01890000-0000-7000-8000-000000000000', 'owner', created_at FROM tenant"
        " WHERE name = 'acme'",
        "no entry of the ledger made them one",
    ),
    "a member gone": (f"DELETE FROM membership WHERE tenant_id = {ACME} AND role = 'developer'", "is missing"),
    "when a member joined": (f"UPDATE membership SET joined_at = 5 WHERE tenant_id = {ACME}", "about joined_at"),
    "a member's address": ("UPDATE person SET email = 'me' WHERE email = 'the-reviewer@example.com'", "about email"),
    "a member of another tenant": (
        f"INSERT INTO membership SELECT {OTHER}, person_id, 'owner', joined_at FROM membership",
        "no entry of the ledger made them one",
    ),
    "an invitation's role": (f"UPDATE invitation SET role = 'owner' WHERE {INVITED}", "about role"),
    "an invitation's address": (f"UPDATE invitation SET email = 'me@example.com' WHERE {INVITED}", "about email"),
    "an invitation's link": (f"UPDATE invitation SET secret_hash = zeroblob(32) WHERE {INVITED}", "secret_sha256"),
    "an invitation's time": (f"UPDATE invitation SET expires_at = 9e15 WHERE {INVITED}", "about expires_at"),
    "who invited": (f"UPDATE invitation SET invited_by = 'me' WHERE {INVITED}", "about invited_by"),
    "when somebody was invited": (f"UPDATE invitation SET invited_at = 5 WHERE {INVITED}", "about invited_at"),
    "an invitation that stands again": (
        f"UPDATE invitation SET ended_at = NULL WHERE tenant_id = {ACME} AND ended_at IS NOT NULL AND joined = ''",
        "about its end",
    ),
    "an invitation that nobody withdrew": (f"UPDATE invitation SET ended_at = 5 WHERE {INVITED}", "the ledger doesn't"),
    "an invitation gone": (f"DELETE FROM invitation WHERE {INVITED}", "is missing"),
    # ways in
    "a passkey that nobody added": (
        "INSERT INTO passkey SELECT 'AAAA', person_id, public_key, 0, 'x', created_at, NULL FROM passkey",
        "the passkey AAAA of",
    ),
    "a passkey of somebody else": (
        "UPDATE passkey SET person_id = (SELECT person_id FROM person WHERE email = 'owner@example.com')",
        "no entry of a ledger added them",
    ),
    "a passkey's key": ("UPDATE passkey SET public_key = zeroblob(77)", "not the one that the ledgers have"),
    "when a passkey was added": ("UPDATE passkey SET created_at = 5", "of another time than the ledgers have"),
    "a passkey gone": ("DELETE FROM passkey", "missing, though the ledgers have them added"),
    "an app's secret": ("UPDATE totp SET sealed_secret = zeroblob(60)", "the app for codes of"),
    "an app that nobody confirmed": ("UPDATE totp SET confirmed_at = 5", "the app for codes of"),
    "an app that lost its confirmation": ("UPDATE totp SET confirmed_at = NULL", "the app for codes of"),
    "an app gone": ("DELETE FROM totp", "the app for codes of"),
    "a recovery code": (
        "UPDATE recovery_code SET code_hash = zeroblob(32) WHERE rowid = 2",
        "the recovery codes of",
    ),
    "a recovery code that is unused again": (
        "UPDATE recovery_code SET used_at = NULL WHERE used_at IS NOT NULL",
        "which were used",
    ),
    "a recovery code that nobody used": (
        "UPDATE recovery_code SET used_at = 5 WHERE code_hash = (SELECT max(code_hash) FROM recovery_code"
        " WHERE used_at IS NULL)",
        "which were used",
    ),
    "recovery codes gone": ("DELETE FROM recovery_code", "missing, though the ledgers have them added"),
    "a provider": (
        "UPDATE single_sign_on SET settings = replace(settings, '127.0.0.1', 'evil.example')",
        "single sign-on's settings issuer are not those of entry",
    ),
    "a provider's secret": (
        "UPDATE single_sign_on SET sealed_secret = zeroblob(30)",
        "single sign-on's settings sealed_secret_sha256",
    ),
    "a provider gone": ("DELETE FROM single_sign_on", "single sign-on's settings"),
    "a provider of another tenant": (
        f"INSERT INTO single_sign_on SELECT {OTHER}, settings, sealed_secret FROM single_sign_on",
        "the ledger (no entry changed them)",
    ),
    "whom a provider means": (
        f"UPDATE person_identity SET person_id = (SELECT person_id FROM membership WHERE tenant_id = {ACME}"
        " AND role = 'owner')",
        "says otherwise than entry",
    ),
    "somebody whom no provider named": (
        "INSERT INTO person_identity SELECT tenant_id, issuer, 'me', person_id, linked_at FROM person_identity",
        "no entry of the ledger linked it",
    ),
    "an identity gone": ("DELETE FROM person_identity", "is missing"),
    # requests
    "a verdict": (f"UPDATE clearance SET outcome = 'approved' WHERE {DENIED}", "says otherwise than the ledger"),
    "a decision": (
        f"UPDATE clearance SET decision = json_set(decision, '$.outcome', 'approved') WHERE {DENIED}",
        "decision.outcome",
    ),
    "a decision's bucket": (
        f"UPDATE clearance SET decision = json_set(decision, '$.confidence_bucket', 'low') WHERE {DENIED}",
        "decision.confidence_bucket",
    ),
    "a decision's reason": (
        f"UPDATE clearance SET decision = json_set(decision, '$.reason', 'fine') WHERE {DENIED}",
        "about reason",
    ),
    "a decision's category": (
        f"UPDATE clearance SET decision = json_set(decision, '$.action_category', 'x') WHERE {DENIED}",
        "action_category",
    ),
    "a decision's decider": (
        f"UPDATE clearance SET decision = json_set(decision, '$.decider.type', 'person') WHERE {DENIED}",
        "decider",
    ),
    "changed arguments": (
        f"UPDATE clearance SET decision = json_set(decision, '$.effective_args', json('{{}}')) WHERE {CONSUMED}",
        "decision.effective_args",
    ),
    "a decision that is none": (f"UPDATE clearance SET decision = 'null' WHERE {DENIED}", "can't be read"),
    "the arguments": (
        f"UPDATE clearance SET request = json_set(request, '$.tool_args.amount', 46) WHERE {CONSUMED}",
        "request.tool_args",
    ),
    "a number that is a truth": (
        f"UPDATE clearance SET request = json_set(request, '$.tool_args', json('{{\"amount\":true}}')) WHERE {DENIED}",
        "request.tool_args",
    ),
    "the tool": (f"UPDATE clearance SET request = json_set(request, '$.tool_name', 'x') WHERE {CONSUMED}", "tool_name"),
    "an unknown field": (f"UPDATE clearance SET request = json_set(request, '$.new', 1) WHERE {CONSUMED}", "new"),
    "who asked": (f"UPDATE clearance SET key_lineage = 'me' WHERE {CONSUMED}", "action_metadata"),
    "when it was asked": (f"UPDATE clearance SET requested_at = requested_at + 1 WHERE {CONSUMED}", "time of asking"),
    "the original of a mint": (
        "UPDATE clearance SET original_request_id = NULL WHERE original_request_id IS NOT NULL",
        "original_request_id",
    ),
    "the depth": (f"UPDATE clearance SET depth = 4 WHERE {CONSUMED}", "action_metadata"),
    "a token's id": (f"UPDATE clearance SET jti = 'x' WHERE {CONSUMED}", "action_metadata"),
    "a token's key": (f"UPDATE clearance SET kid = 'x' WHERE {CONSUMED}", "action_metadata"),
    "a token's life": (f"UPDATE clearance SET expires_at = expires_at + 60 WHERE {CONSUMED}", "action_metadata"),
    "a token's beginning": (f"UPDATE clearance SET issued_at = issued_at + 60 WHERE {CONSUMED}", "action_metadata"),
    "a fetched token's life": (f"UPDATE clearance SET expires_at = expires_at + 60 WHERE {FETCHED}", "other times"),
    "an unfetched token's life": (
        f"UPDATE clearance SET issued_at = pick_up_until / 1000000, expires_at = 9999999999 WHERE {UNFETCHED}",
        "a longer life",
    ),
    "half a hand-out": (f"UPDATE clearance SET issued_at = 1780000000 WHERE {UNFETCHED}", "only one of"),
    "the time to fetch": (f"UPDATE clearance SET pick_up_until = pick_up_until + 1 WHERE {UNFETCHED}", "be fetched"),
    "a time to fetch": (f"UPDATE clearance SET pick_up_until = 1 WHERE {CONSUMED}", "handed out at once"),
    "unconsumed": (f"UPDATE clearance SET consumed_at = NULL WHERE {CONSUMED}", "was consumed; its row doesn't"),
    "consumed": (f"UPDATE clearance SET consumed_at = 1 WHERE {UNFETCHED}", "the ledger doesn't"),
    "the time of consumption": (f"UPDATE clearance SET consumed_at = consumed_at + 1 WHERE {CONSUMED}", "consumption"),
    "a request gone": (f"DELETE FROM clearance WHERE {DENIED}", "its row is missing"),
    "a request nobody asked": (
        "INSERT INTO clearance SELECT tenant_id, 'zzz', key_lineage, requested_at, request, decision, outcome,"
        " original_request_id, depth, 'zzz', kid, issued_at, expires_at, pick_up_until, NULL, NULL,"
        " tool_name, agent_id, parent_jti, policy_id, reason_code, decided_by"
        f" FROM clearance WHERE {CONSUMED}",
        "the ledger has no decision of it",
    ),
    "a call's session": (
        f"UPDATE clearance SET session_hash = (SELECT MAX(event_hash) FROM event) WHERE {CONSUMED}",
        "session_hash",
    ),
    "the tool by which it is found": (f"UPDATE clearance SET tool_name = 'x' WHERE {CONSUMED}", "about tool_name"),
    "the agent by which it is found": (f"UPDATE clearance SET agent_id = 'x' WHERE {CONSUMED}", "about agent_id"),
    "the policy by which it is found": (f"UPDATE clearance SET policy_id = 'x' WHERE {CONSUMED}", "about policy_id"),
    "the code by which it is found": (f"UPDATE clearance SET reason_code = 'x' WHERE {DENIED}", "about reason_code"),
    "the decider by which it is found": (f"UPDATE clearance SET decided_by = 'key' WHERE {DENIED}", "about decided_by"),
    "the parent by which it is found": (f"UPDATE clearance SET parent_jti = jti WHERE {CONSUMED}", "about parent_jti"),
    "a total": (
        f"UPDATE request_total SET requests = requests + 1 WHERE tenant_id = {ACME} AND dimension = 'all'",
        "the total of requests (all",
    ),
    "a total gone": (
        f"DELETE FROM request_total WHERE tenant_id = {ACME} AND dimension = 'tool'",
        "the total of requests (tool 'stripe_refund'",
    ),
    "a time": (
        f"UPDATE request_total SET requests = requests + 1 WHERE tenant_id = {ACME} AND dimension = 'time'",
        "the times of decisions (hour",
    ),
    "a time that can't be": (
        f"UPDATE request_total SET name = '4' WHERE tenant_id = {ACME} AND dimension = 'time' AND name != ''",
        "within '4'",
    ),
    "times gone": (f"DELETE FROM request_total WHERE tenant_id = {ACME} AND dimension = 'time'", "are of 0 requests"),
    "another tenant's request": (f"UPDATE clearance SET tenant_id = {OTHER} WHERE {DENIED}", "its row is missing"),
    # reviews
    "a review's end": (f"UPDATE review SET status = 'approved' WHERE {PENDING}", "no entry ended it"),
    "a denial turned": ("UPDATE review SET status = 'approved' WHERE status = 'denied'", "says denied"),
    "a review reopened": ("UPDATE review SET status = 'pending' WHERE status = 'denied'", "says denied"),
    "a review's deadline": (f"UPDATE review SET expires_at = expires_at + 1 WHERE {PENDING}", "another deadline"),
    "a review's opening": (f"UPDATE review SET opened_at = opened_at + 1 WHERE {PENDING}", "time of opening"),
    "a review's quorum": (f"UPDATE review SET quorum = 1 WHERE {PENDING}", "needs 1 approvals"),
    "a review's time": ("UPDATE review SET decided_at = decided_at + 1 WHERE status = 'denied'", "time of decision"),
    "a reviewer": ("UPDATE review SET decided_by = 'me' WHERE status = 'denied'", "another decider"),
    "a review's reason": ("UPDATE review SET review_reason = '\"x\"' WHERE status = 'denied'", "another reason"),
    "a review gone": (f"DELETE FROM review WHERE {PENDING}", "its review is missing"),
    "a review nobody needed": (
        "INSERT INTO review SELECT tenant_id, request_id, 'pending', requested_at, requested_at, 1, NULL, NULL, '',"
        " x'00', '', '[]', NULL"
        f" FROM clearance WHERE {CONSUMED}",
        "needed none",
    ),
    "a vote": (
        f"INSERT INTO review_vote SELECT {ACME}, request_id, 'me', '', 0, '' FROM review WHERE {PENDING}",
        "votes",
    ),
    "a vote gone": ("DELETE FROM review_vote", "votes"),
    "a voter's role": ("UPDATE review_vote SET role = '' WHERE role = 'owner'", "votes"),
    "a voter's reason": ("UPDATE review_vote SET review_reason = '\"x\"' WHERE role = 'reviewer'", "votes"),
    "a vote's time": ("UPDATE review_vote SET voted_at = voted_at + 1 WHERE role = 'owner'", "votes"),
    "a review's roles": ("UPDATE review SET quorum_roles = '' WHERE quorum_roles <> ''", "in other roles"),
    "a second reviewer undone": ("UPDATE review SET quorum = 1 WHERE second_requests <> '[]'", "needs 1 approvals"),
    "who wanted a second reviewer": ("UPDATE review SET second_requests = '[]'", "asked for another reviewer"),
    "a review's tool": (f"UPDATE review SET tool_hash = x'00' WHERE {PENDING}", "another tool"),
    "an escalation gone": ("UPDATE review SET escalated_at = NULL", "about its escalation"),
    "an escalation": (f"UPDATE review SET escalated_at = opened_at + 1 WHERE {PENDING}", "about its escalation"),
    # what decides
    "a setting": ("UPDATE tenant SET settings = json_set(settings, '$.quorum', 1) WHERE name = 'acme'", "quorum"),
    "a default setting": (
        "UPDATE tenant SET settings = json_set(settings, '$.quorum', 3) WHERE name = 'other'",
        "quorum",
    ),
    "a judge nobody set": (
        f"INSERT INTO judge_setting SELECT {ACME}, '{NO_JUDGE}', x'00'",
        "the judge's settings sealed_key_sha256 are not those",
    ),
    "a tenant's name": ("UPDATE tenant SET name = 'evil' WHERE name = 'acme'", "the tenant's name is 'evil'"),
    "a tenant's age": ("UPDATE tenant SET created_at = 1 WHERE name = 'acme'", "another time of creation"),
    "a tenant gone": ("DELETE FROM tenant WHERE name = 'other'", "no such tenant"),
    "a log gone": (f"DELETE FROM log WHERE tenant_id = {OTHER}", "has no log"),
    "a policy's text": (
        f"UPDATE policy_version SET document = json_set(document, '$.description', 'x') WHERE {ACTIVE}",
        "policy_content_hash",
    ),
    "a policy's hash": (f"UPDATE policy_version SET content_hash = '{'0' * 64}' WHERE {ACTIVE}", "content_hash"),
    "a policy's number": (f"UPDATE policy_version SET version = 99 WHERE {ACTIVE}", "version"),
    "a policy's time": (f"UPDATE policy_version SET registered_at = 1 WHERE {ACTIVE}", "registered_at"),
    "a policy's writer": (f"UPDATE policy_version SET registered_by = 'me' WHERE {ACTIVE}", "registered_by"),
    "a policy's authors": (f"UPDATE policy_version SET authors = '[]' WHERE {ACTIVE}", "authors"),
    "a policy's confirmation": (f"UPDATE policy_version SET confirmed_at = 1 WHERE {ACTIVE}", "confirmed_at"),
    "who confirmed": (f"UPDATE policy_version SET confirmed_by = 'me' WHERE {ACTIVE}", "confirmed_by"),
    "what was confirmed": (
        f"UPDATE policy_version SET confirmation_hash = '{'0' * 64}' WHERE {ACTIVE}",
        "confirmation_hash",
    ),
    "a policy's activation": (f"UPDATE policy_version SET activated_at = 1 WHERE {ACTIVE}", "activated_at"),
    "who activated": (f"UPDATE policy_version SET activated_by = 'me' WHERE {ACTIVE}", "activated_by"),
    "where to go back": (f"UPDATE policy_version SET replaced = NULL WHERE {ACTIVE}", "replaced"),
    "a policy put to sleep": (
        f"UPDATE policy_version SET state = 'retired' WHERE {ACTIVE}",
        "is retired; by the ledger it is active",
    ),
    "a draft in force": (
        f"UPDATE policy_version SET state = 'retired' WHERE {ACTIVE};"
        "UPDATE policy_version SET state = 'active' WHERE state = 'draft'",
        "is active; by the ledger it is draft",
    ),
    "a draft confirmed": (
        "UPDATE policy_version SET state = 'confirmed' WHERE state = 'draft'",
        "is confirmed; by the ledger it is draft",
    ),
    "a shadow gone": (
        "UPDATE policy_version SET state = 'confirmed' WHERE state = 'shadow'",
        "is confirmed; by the ledger it is shadow",
    ),
    "another shadow": (
        "UPDATE policy_version SET state = 'retired' WHERE state = 'shadow';"
        "UPDATE policy_version SET state = 'shadow' WHERE state = 'draft'",
        "is shadow; by the ledger it is draft",
    ),
    "an old policy awake": (
        f"UPDATE policy_version SET state = 'retired' WHERE {ACTIVE};"
        f"UPDATE policy_version SET state = 'active' WHERE tenant_id = {ACME} AND version = 1",
        "is active; by the ledger it is retired",
    ),
    "a state that is none": (f"UPDATE policy_version SET state = 'x' WHERE {ACTIVE}", "by the ledger it is active"),
    "a policy gone": (f"DELETE FROM policy_version WHERE {ACTIVE}", "is missing"),
    "a policy nobody registered": (
        "INSERT INTO policy_version SELECT tenant_id, 'new', 'new', 1, document, content_hash, registered_at,"
        " registered_by, 'active', authors, confirmed_at, confirmed_by, confirmation_hash, activated_at, activated_by,"
        f" replaced FROM policy_version WHERE {ACTIVE}",
        "no entry of the ledger made it",
    ),
    "a tool schema": (
        "UPDATE tool_schema SET json_schema = json_set(json_schema, '$.title', 'x')",
        "is not the one that entry",
    ),
    "a document's text": ("UPDATE document_version SET text = replace(text, '500', '900')", "its text is not"),
    "a document's chunk": ("UPDATE document_chunk SET text = replace(text, '500', '900')", "says something else"),
    "a connection": ("UPDATE confluence_connection SET base_url = 'https://evil.example'", "base_url"),
    "a tool schema's time": ("UPDATE tool_schema SET registered_at = 1", "another time"),
    "a tool schema gone": ("DELETE FROM tool_schema", "is missing"),
    "a tool schema's name": ("UPDATE tool_schema SET tool_name = 'other'", "no entry of the ledger made it"),
    # keys
    "a key's rights": ("UPDATE api_key SET scopes = 'clearance review' WHERE name = 'agent'", "scopes"),
    "a key's unknown rights": ("UPDATE api_key SET scopes = 'everything' WHERE name = 'agent'", "can't be read"),
    "a key's agents": ("UPDATE api_key SET agent_ids = '[\"x\"]' WHERE name = 'agent'", "agent_ids"),
    "a key's secret": (
        f"UPDATE api_key SET secret_hash = zeroblob(32) WHERE tenant_id = {OTHER}",
        "secret_sha256",
    ),
    "a key's chain": ("UPDATE api_key SET lineage = 'x' WHERE name = 'reviewer'", "lineage"),
    "a key's name": ("UPDATE api_key SET name = 'x' WHERE name = 'reviewer'", "name"),
    "a key's age": ("UPDATE api_key SET created_at = 1 WHERE name = 'reviewer'", "another time of creation"),
    "a key revived": ("UPDATE api_key SET revoked_at = NULL WHERE revoked_at IS NOT NULL", "revoked it; its row"),
    "a key ended": ("UPDATE api_key SET revoked_at = 1 WHERE name = 'reviewer'", "the ledger doesn't"),
    "a key's end": ("UPDATE api_key SET revoked_at = 1 WHERE revoked_at IS NOT NULL", "another time of revocation"),
    "a key's expiry": ("UPDATE api_key SET expires_at = NULL WHERE name = 'short'", "it expires never; entry"),
    "a key's longer life": (
        "UPDATE api_key SET expires_at = expires_at + 1 WHERE name = 'short'",
        "says that it expires",
    ),
    "a key's sudden expiry": ("UPDATE api_key SET expires_at = 1 WHERE name = 'reviewer'", "says never"),
    "a key nobody made": (
        f"INSERT INTO api_key SELECT {ACME}, 'new', 'new', zeroblob(32), scopes, agent_ids, 'new', created_at,"
        " NULL, NULL, NULL"
        f" FROM api_key WHERE tenant_id = {OTHER}",
        "no entry of the ledger made it",
    ),
    "a key gone": ("DELETE FROM api_key WHERE name = 'reviewer'", "is missing"),
    "a ledger key": (
        f"UPDATE signing_key SET public_key = zeroblob(32) WHERE tenant_id = {ACME}",
        "signing key",
    ),
    "a ledger key's age": (f"UPDATE signing_key SET active_from = 1 WHERE tenant_id = {ACME}", "active from another"),
    "a ledger key's end": (f"UPDATE signing_key SET retired_at = 1 WHERE tenant_id = {ACME}", "retired otherwise"),
    "a ledger key's owner": (
        f"UPDATE signing_key SET tenant_id = {OTHER} WHERE tenant_id = {ACME}",
        "no entry of the ledger made it",
    ),
    "a ledger key's word": (f"UPDATE signing_key SET attestation_key_id = 'x' WHERE tenant_id = {ACME}", "attestation"),
    "a token key gone": ("DELETE FROM signing_key WHERE tenant_id IS NULL", "no token key"),
    "a suspension lifted": (
        "UPDATE suspension SET released_at = suspended_at WHERE kind = 'tool'",
        "its row says that it is released; the ledger doesn't",
    ),
    "a suspension gone": ("DELETE FROM suspension WHERE kind = 'tool'", "is missing"),
    "a suspension of something else": ("UPDATE suspension SET subject = 'x' WHERE kind = 'tool'", "about subject"),
    "a suspension of another kind": ("UPDATE suspension SET kind = 'agent' WHERE kind = 'tool'", "about kind"),
    "a suspension's reason": ("UPDATE suspension SET reason = 'x' WHERE kind = 'tool'", "about reason"),
    "a suspension's time": ("UPDATE suspension SET suspended_at = 1 WHERE kind = 'tool'", "about suspended_at"),
    "a suspension's author": ("UPDATE suspension SET suspended_by = 'x' WHERE kind = 'tool'", "about suspended_by"),
    "a release undone": (
        "UPDATE suspension SET released_at = NULL WHERE kind = 'agent'",
        "released it; its row doesn't say so",
    ),
    "a release's reason": ("UPDATE suspension SET release_reason = 'x' WHERE kind = 'agent'", "about its release"),
    "a suspension that nobody made": (
        "INSERT INTO suspension SELECT tenant_id, 'new', 'tool', 'y', reason, suspended_at, '', NULL, '', ''"
        " FROM suspension WHERE kind = 'tool'",
        "no entry of the ledger made it",
    ),
    "a key's purpose": (f"UPDATE signing_key SET purpose = 'token' WHERE tenant_id = {ACME}", "doesn't fit"),
}


@pytest.mark.parametrize(("sql", "said"), EDITS.values(), ids=EDITS.keys())
def test_every_edit_is_found(settings: Settings, sql: str, said: str) -> None:
    for statement in sql.split(";"):
        edit(settings, statement)
    assert said in flaws(settings)


@pytest.mark.parametrize("sql", ["UPDATE tile SET hashes = zeroblob(8192)", "DELETE FROM tile"])
def test_every_edit_of_a_tile_is_found(tall_settings: Settings, sql: str) -> None:
    assert checked(tall_settings).intact
    edit(tall_settings, sql)
    assert "tile 0 of level 0 is not what the entries give" in flaws(tall_settings)


def test_every_table_is_edited_or_known_to_be_unproven() -> None:
    edited_tables = {word for sql, _ in EDITS.values() for word in sql.split()}
    unproven = {"session", "ceremony", "idempotency", "job", "notification", "delivery", "slack_code"}
    in_their_own_test = {
        *("limit_budget", "limit_use", "outcome_report"),  # store/test_limit_rows.py
        *("notification_setting", "slack_link"),  # notify/test_check.py
    }
    assert set(schema.metadata.tables) - edited_tables == {"tile"} | unproven | in_their_own_test


def test_a_number_is_not_the_truth_that_python_takes_it_for(settings: Settings) -> None:
    edit(settings, "UPDATE tenant SET settings = json_set(settings, '$.separation_of_duties', 0) WHERE name = 'acme'")
    assert "separation_of_duties" in flaws(settings)


def test_a_high_water_file_from_before_is_behind_but_no_lie(settings: Settings, eventful: Path) -> None:
    with edited(settings.high_water) as file:
        file.execute("UPDATE cell SET checkpoint_id = 2, tree_size = 9, root_hash = substr(root_hash, 2) || 'x'")
    assert "checkpoint 2 is not the one that was signed" in flaws(settings)


def test_a_high_water_cell_beyond_the_database(settings: Settings) -> None:
    with edited(settings.high_water) as file:
        file.execute("UPDATE cell SET checkpoint_id = 99, tree_size = 999 WHERE checkpoint_id = 3")
    assert "acme: checkpoint 99 was signed and published, but is not in the database" in flaws(settings)


def test_another_vaults_high_water_file(settings: Settings) -> None:
    with edited(settings.high_water) as file:
        file.execute("UPDATE cell SET key_id = 'another' WHERE checkpoint_id = 3")
    found = flaws(settings)
    assert "the high-water file knows a log under the key another" in found
    assert "acme: the high-water file knows nothing of this ledger's 3 checkpoints" in found


def test_no_high_water_file(settings: Settings) -> None:
    settings.high_water.unlink()
    with pytest.raises(StartRefused, match="is missing"):
        checked(settings)


def test_private_keys_are_opened(settings: Settings) -> None:
    first, second, third = sorted(settings.key_directory.glob("*.pem"))
    content = first.read_bytes()
    first.unlink()
    third.write_bytes(content)
    found = flaws(settings)
    assert f"The signing key {first} is missing" in found
    assert f"The file {third} holds another key" in found
    assert str(second) not in found


def test_a_lost_unlock_key(settings: Settings) -> None:
    settings.key_file.unlink()
    assert "The key file" in flaws(settings)


def test_an_index_that_does_not_fit_its_table(settings: Settings) -> None:
    with contextlib.closing(sqlite.connect(settings.database_file)) as connection:
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute(
            "UPDATE sqlite_schema SET rootpage = (SELECT rootpage FROM sqlite_schema WHERE name = 'ix_job_due')"
            " WHERE name = 'ix_event_request'"
        )
        connection.commit()
    assert "SQLite says" in flaws(settings)


@pytest.mark.parametrize("page", range(2, 40, 3))
def test_pages_of_garbage_are_found_and_never_a_crash(settings: Settings, page: int) -> None:
    content = bytearray(settings.database_file.read_bytes())
    content[4096 * (page - 1) : 4096 * page] = b"\xa5" * 4096
    settings.database_file.write_bytes(content)
    with contextlib.suppress(StartRefused):
        assert flaws(settings)


def test_a_recovered_ledger_is_intact_and_its_new_key_must_be_attested(eventful: Path, tmp_path: Path) -> None:
    shutil.copytree(eventful, tmp_path / "vault")
    settings = Settings.load(data_dir=tmp_path / "vault")
    old = settings.database_file.read_bytes()
    with open_vault(settings) as opened:
        created = create_tenant(opened.vault, "third")
        asyncio.run(sign_checkpoints(opened.vault, opened.high_water))
        assert created.name == "third"
        asyncio.run(_another_entry(opened.vault))
        asyncio.run(sign_checkpoints(opened.vault, opened.high_water))
    settings.database_file.write_bytes(old)
    with pytest.raises(StartRefused, match="a checkpoint over"), open_vault(settings):
        pass
    assert "was signed and published" in flaws(settings)
    with open_vault(settings, recovery=lambda opened: recover_logs(opened.vault, opened.high_water, "test") and None):
        pass
    found = flaws(settings)  # the third tenant is still known outside
    assert found.count("\n") == 0
    assert "this database doesn't" in found
    edit(settings, "UPDATE signing_key SET attestation_signature = zeroblob(64) WHERE attestation_key_id <> ''")
    assert "the log's keys can't be read" in flaws(settings)


async def _another_entry(vault: Vault) -> None:
    (acme,) = [tenant for tenant in vault.store.tenants() if tenant.name == "acme"]
    await create_api_key(vault, acme.tenant_id, "late", PRESETS[Preset.AGENT], (), SYSTEM)
