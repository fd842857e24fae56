"""A Vault on real storage that a test drives by operations, with a clock of its own, faults and a memory of answers."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import threading
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from sqlalchemy import Connection, text

from ledgix.formats import json
from ledgix.formats.events import EventKind
from ledgix.formats.json import JsonObject
from ledgix_vault.app import OpenVault, initialise, open_database, open_vault
from ledgix_vault.clearance.clearance import Clearance
from ledgix_vault.clearance.decision import SYSTEM
from ledgix_vault.clearance.reports import Reported
from ledgix_vault.clearance.request import ClearanceRequest
from ledgix_vault.operations.accept_invitation import join_as_new
from ledgix_vault.operations.activate_policy_version import activate_policy_version
from ledgix_vault.operations.change_judge_settings import change_judge_settings
from ledgix_vault.operations.change_review_settings import change_review_settings
from ledgix_vault.operations.clearance_status import clearance_status
from ledgix_vault.operations.confirm_policy_version import Marks, confirm_policy_version
from ledgix_vault.operations.consume_token import Consumption, consume_token
from ledgix_vault.operations.create_tenant import Owner, create_tenant
from ledgix_vault.operations.decide_review import Verdict, decide_review
from ledgix_vault.operations.draft_policy_version import draft_policy_version
from ledgix_vault.operations.judge_requests import claim_judgements, judge_request
from ledgix_vault.operations.manage_api_keys import create_api_key
from ledgix_vault.operations.manage_members import invite_for_tenant
from ledgix_vault.operations.mint_token import mint_token
from ledgix_vault.operations.register_policy import Registration, register_policy
from ledgix_vault.operations.report_outcome import report_outcome
from ledgix_vault.operations.request_clearance import request_clearance
from ledgix_vault.operations.retire_policy_version import retire_policy_version
from ledgix_vault.operations.roll_back_policy import roll_back_policy
from ledgix_vault.operations.run_due_jobs import run_due_jobs
from ledgix_vault.operations.shadow_policy_version import shadow_policy_version
from ledgix_vault.operations.sign_checkpoints import sign_checkpoints
from ledgix_vault.operations.sign_in import Credentials, sign_in
from ledgix_vault.operations.steps.record import record_administration
from ledgix_vault.operations.steps.reporting import Told
from ledgix_vault.operations.suspend import release, suspend
from ledgix_vault.operations.use_session import SignedInSession, use_session
from ledgix_vault.policy.versions import PolicyVersion
from ledgix_vault.settings import Settings
from ledgix_vault.store.engine import Database
from ledgix_vault.store.idempotency import IdempotencyKey
from ledgix_vault.store.logs import events_of_request
from ledgix_vault.store.schema import APPEND_ONLY, SEARCH_INDEX, metadata
from ledgix_vault.store.unit import Unit
from ledgix_vault.store.writer import Outcome
from ledgix_vault.tenancy.api_keys import ApiKey, hash_secret
from ledgix_vault.tenancy.callers import Caller
from ledgix_vault.tenancy.judge_settings import JudgeSettings
from ledgix_vault.tenancy.people import Member, Role
from ledgix_vault.tenancy.scopes import PRESETS, Preset
from ledgix_vault.tenancy.settings import ReviewSettings
from ledgix_vault.tenancy.suspensions import Suspension, SuspensionKind
from ledgix_vault.vault import Vault
from vault_testing.faults import Cells, Commit
from vault_testing.postgres import PostgresServer

TOOL = "stripe_refund"
REFUNDS = ("Refunds must not exceed $1000", "Amounts above 100 USD need review")
APPROVED, REVIEWED, DENIED = 45, 450, 4500
"""Amounts, by what the policy `refunds` says of them."""
MADE_AT = 1_780_000_000_000_000
OPENED_AT = MADE_AT + 3_600_000_000
TENANTS = ("acme", "other")
DATABASE = "vault"
PASSWORD = "correct horse battery"
TABLES = (*metadata.tables, SEARCH_INDEX)


class Clock:
    """Microseconds since the epoch; stands still until a test moves it, or as long as `step` is 0."""

    def __init__(self, now: int) -> None:
        self.now = now
        self.step = 0  # µs by which it moves on whenever somebody looks at it

    def __call__(self) -> int:
        self.now += self.step
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += round(seconds * 1_000_000)


class Answer(dict[str, Any]):
    """A clearance answer, and whether it was a replay."""

    replayed = False


@dataclass(frozen=True)
class Acknowledged:
    """What somebody was told and may rely on: it must be stored, whatever happens afterwards."""

    tenant_id: str
    what: str  # asked | consumed
    answer: JsonObject


@dataclass(frozen=True)
class Template:
    """An initialised Vault with two tenants that have the policy `refunds`, from which each test starts."""

    directory: Path
    secrets: tuple[str, ...]
    server: PostgresServer | None = None
    database_url: str | None = None

    @classmethod
    def make(cls, directory: Path, server: PostgresServer | None) -> Template:
        url = server.create(DATABASE) if server else None
        settings = Settings.load(data_dir=directory, database_url=url)
        clock = Clock(MADE_AT)
        first = initialise(settings, TENANTS[0], Owner("owner@example.com", "no hash"), clock=clock)
        with open_vault(settings, clock=clock) as opened:
            secrets = (first.api_key, *(create_tenant(opened.vault, name).api_key for name in TENANTS[1:]))
            for secret in secrets:
                asyncio.run(_register_refunds(opened.vault, secret))
        if server:
            server.keep(DATABASE, TABLES)
        return cls(directory, secrets, server, url)

    @contextlib.contextmanager
    def copy(self, **knobs: Any) -> Iterator[House]:
        """A fresh Vault like the template, open; one at a time, so that they can share engines."""
        directory = self.directory.with_name("copy")
        shutil.rmtree(directory, ignore_errors=True)
        shutil.copytree(self.directory, directory)
        if self.server:
            self.server.restore(DATABASE, TABLES)
        settings = Settings.load(data_dir=directory, database_url=self.database_url, **knobs)
        house = House(settings, self.secrets, self.server)
        try:
            house.open()
            yield house
        finally:
            house.close()


_databases: dict[str, Database] = {}


def open_shared_database(settings: Settings) -> Database:
    """The same engines whenever the place is the same: most of a test's time would be compiling the same statements.

    Closing drops their connections all the same.
    """
    place = settings.database_url or str(settings.database_file)
    if place not in _databases:
        _databases[place] = open_database(settings)
    return _databases[place]


async def _register_refunds(vault: Vault, secret: str) -> None:
    caller = vault.store.key_by_hash(hash_secret(secret))
    assert caller is not None
    await register_policy(vault, caller, Registration("refunds", "", REFUNDS, (TOOL,)), None)


@dataclass
class House:
    """The Vault under test. Every helper is one operation, called as its door calls it."""

    settings: Settings
    secrets: tuple[str, ...]
    server: PostgresServer | None
    clock: Clock = field(default_factory=lambda: Clock(OPENED_AT))
    commit: Commit = field(default_factory=Commit)
    acknowledged: list[Acknowledged] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._stack = contextlib.ExitStack()
        self._opened: OpenVault | None = None

    @property
    def is_sqlite(self) -> bool:
        return self.server is None

    @property
    def is_open(self) -> bool:
        return self._opened is not None

    @property
    def core(self) -> Vault:
        assert self._opened is not None
        return self._opened.vault

    def open(self) -> None:
        """Starts the Vault on what is stored."""
        self._opened = self._stack.enter_context(open_vault(self.settings, clock=self.clock, commit=self.commit))
        self.cells = Cells(self._opened.high_water)

    def close(self) -> None:
        self._stack.close()
        self._opened = None

    def reopen(self) -> None:
        """What a new process would find."""
        self.close()
        self.open()

    def database(self) -> Database:
        """The database by itself, for whoever comes in by the back door."""
        return open_database(self.settings)

    @contextlib.contextmanager
    def edited(self) -> Iterator[Connection]:
        """A transaction past the triggers that guard what is append-only; the Vault must be closed."""
        with contextlib.closing(self.database()) as database, database.writer.begin() as connection:
            ignore_triggers(connection)
            yield connection

    def keep_database(self) -> None:
        """A backup of the database alone, as somebody might restore it."""
        self.close()
        if self.server:
            self.server.keep(DATABASE, TABLES, under="backup")
        else:
            shutil.copy(self.settings.database_file, self.settings.data_dir / "backup")
        self.open()

    def restore_database(self) -> None:
        """Puts the backup back; the Vault is closed afterwards."""
        self.close()
        if self.server:
            self.server.restore(DATABASE, TABLES, under="backup")
        else:
            shutil.copy(self.settings.data_dir / "backup", self.settings.database_file)

    def grow(self, events: int, *, tenant: int = 0) -> None:
        """Appends administrative events, all in one transaction."""
        tenant_id = self.owner_of(tenant).tenant_id

        def append(unit: Unit) -> Outcome[None]:
            for number in range(events):
                record_administration(
                    unit,
                    tenant_id,
                    EventKind.REVIEW_VOTED,  # about no request here: no row would have to agree
                    reason="",
                    decider=SYSTEM,
                    metadata={"number": number},
                )
            return Outcome(None)

        self.core.store.run_and_wait(append)

    def owner_of(self, tenant: int) -> ApiKey:
        found = self.core.store.key_by_hash(hash_secret(self.secrets[tenant]))
        assert found is not None
        return found

    @property
    def owner(self) -> ApiKey:
        """The first tenant's full-access key."""
        return self.owner_of(0)

    @property
    def stranger(self) -> ApiKey:
        """The second tenant's full-access key."""
        return self.owner_of(1)

    async def key(self, preset: Preset, name: str = "", tenant: int = 0) -> ApiKey:
        """A new API key."""
        tenant_id = self.owner_of(tenant).tenant_id
        key, _ = await create_api_key(self.core, tenant_id, name or str(preset), PRESETS[preset], (), SYSTEM)
        return key

    async def member(self, role: Role, email: str = "", *, tenant: int = 0) -> Member:
        """A person who accepted an invitation; their password is `PASSWORD`."""
        tenant_id, address = self.owner_of(tenant).tenant_id, email or f"the-{role}@example.com"
        _, link = await invite_for_tenant(self.core, tenant_id, address, role)
        used = await use_session(self.core, await join_as_new(self.core, link, "", PASSWORD, "a browser"))
        assert used is not None
        return used.member

    async def sign_in(self, email: str, password: str = PASSWORD) -> SignedInSession:
        """What the sign-in page does."""
        started = await sign_in(self.core, Credentials(email, password, "192.0.2.1", "a browser"))
        assert not started.needs_second_factor
        used = await use_session(self.core, started.secret)
        assert used is not None
        return used

    async def ask(
        self, amount: object = APPROVED, *, by: Caller | None = None, key: str | None = None, **further: object
    ) -> Answer:
        """`POST /request-clearance`"""
        body = _object({"tool_name": TOOL, "tool_args": {"amount": amount}} | further)
        caller = by or self.owner
        asked = await request_clearance(
            self.core, caller, ClearanceRequest.parse(body), idempotency(caller, "/request-clearance", key, body)
        )
        return self._answered(asked)

    async def mint(
        self, original: JsonObject, *, by: Caller | None = None, key: str | None = None, **further: object
    ) -> Answer:
        """`POST /mint-token`"""
        body = _object({"tool_name": TOOL, "tool_args": {"amount": APPROVED}} | further)
        caller = by or self.owner
        minted = await mint_token(
            self.core,
            caller,
            ClearanceRequest.parse(body),
            str(original["request_id"]),
            idempotency(caller, "/mint-token", key, body),
        )
        return self._answered(minted)

    async def poll(self, asked: JsonObject, *, by: Caller | None = None) -> Answer:
        """`GET /clearance-status/{request_id}`"""
        caller = by or self.owner
        answer = Answer(await clearance_status(self.core, caller, str(asked["request_id"])))
        self.acknowledged.append(Acknowledged(caller.tenant_id, "asked", answer))
        return answer

    async def decide(
        self,
        asked: JsonObject,
        approved: bool,
        *,
        by: Caller | None = None,
        key: str | None = None,
        args: object = None,
        reason: str = "Looked at it.",
    ) -> Answer:
        """`POST /reviews/{request_id}/decision`"""
        caller, request_id = by or self.owner, str(asked["request_id"])
        body = _object({"approved": approved, "review_reason": reason, "effective_args": args})
        verdict = Verdict(approved, reason, cast("JsonObject | None", body["effective_args"]))
        decided, replayed = await decide_review(
            self.core, caller, request_id, verdict, idempotency(caller, f"/reviews/{request_id}/decision", key, body)
        )
        answer = Answer(self.core.answer_without_token(decided))
        answer.replayed = replayed
        return answer

    async def approve(self, asked: JsonObject, **how: Any) -> Answer:
        return await self.decide(asked, True, **how)

    async def deny(self, asked: JsonObject, **how: Any) -> Answer:
        """A denial; by the key that asked it is a cancel."""
        return await self.decide(asked, False, **how)

    async def consume(
        self, asked: JsonObject, *, by: Caller | None = None, key: str | None = None, **call: object
    ) -> Answer:
        """`POST /consume-token`"""
        caller = by or self.owner
        body = _object({"token": asked["token"]} | call)
        consumption = Consumption(
            str(body["token"]), cast("str | None", body.get("tool_name")), cast("Any", body.get("tool_args"))
        )
        claims, replayed = await consume_token(
            self.core,
            caller,
            consumption,
            self.core.token_keys(),
            idempotency(caller, "/consume-token", key, body),
        )
        answer = Answer(jti=claims.jti, request_id=claims.request_id)
        answer.replayed = replayed
        self.acknowledged.append(Acknowledged(caller.tenant_id, "consumed", answer))
        return answer

    async def report(
        self,
        asked: JsonObject,
        outcome: Reported,
        *,
        by: Caller | None = None,
        key: str | None = None,
        detail: str = "",
    ) -> Answer:
        """`POST /outcomes`"""
        caller, request_id = by or self.owner, str(asked["request_id"])
        body = _object({"request_id": request_id, "outcome": str(outcome), "detail": detail})
        told = Told(outcome, detail, request_id)
        reported, replayed = await report_outcome(self.core, caller, told, idempotency(caller, "/outcomes", key, body))
        answer = Answer(reported)
        answer.replayed = replayed
        return answer

    async def register(
        self,
        *sentences: str,
        policy_id: str = "refunds",
        tools: tuple[str, ...] = (TOOL,),
        by: Caller | None = None,
        key: str | None = None,
        definition: str | None = None,
    ) -> PolicyVersion:
        """`POST /register-policy`"""
        caller = by or self.owner
        registration = Registration(policy_id, "", sentences, tools, definition)
        body = _object({"policy_id": policy_id, "rules": list(sentences), "tools": list(tools)})
        active, _ = await register_policy(
            self.core, caller, registration, idempotency(caller, "/register-policy", key, body)
        )
        return active

    async def draft(
        self, *sentences: str, policy_id: str = "refunds", by: Caller | None = None, key: str | None = None, **how: Any
    ) -> PolicyVersion:
        """`POST /policies/{policy_id}/versions`"""
        caller = by or self.owner
        registration = Registration(policy_id, "", sentences, how.pop("tools", (TOOL,)), **how)
        mark = idempotency(caller, f"/policies/{policy_id}/versions", key, _object({"rules": list(sentences)}))
        drafted, _ = await draft_policy_version(self.core, caller, registration, mark)
        return drafted

    async def confirm(
        self, number: int, *, by: Caller | None = None, key: str | None = None, **marks: tuple[str, ...]
    ) -> PolicyVersion:
        """`POST /policies/refunds/versions/{number}/confirm`"""
        caller = by or self.owner
        mark = self._move_key(caller, number, "confirm", key)
        confirmed, _ = await confirm_policy_version(self.core, caller, "refunds", number, Marks(**marks), mark)
        return confirmed

    async def activate(self, number: int, *, by: Caller | None = None, key: str | None = None) -> PolicyVersion:
        """`POST /policies/refunds/versions/{number}/activate`"""
        caller = by or self.owner
        mark = self._move_key(caller, number, "activate", key)
        return (await activate_policy_version(self.core, caller, "refunds", number, mark))[0]

    async def shadow(self, number: int, *, by: Caller | None = None, key: str | None = None) -> PolicyVersion:
        """`POST /policies/refunds/versions/{number}/shadow`"""
        caller = by or self.owner
        mark = self._move_key(caller, number, "shadow", key)
        return (await shadow_policy_version(self.core, caller, "refunds", number, mark))[0]

    async def retire(self, number: int, *, by: Caller | None = None, key: str | None = None) -> PolicyVersion:
        """`POST /policies/refunds/versions/{number}/retire`"""
        caller = by or self.owner
        mark = self._move_key(caller, number, "retire", key)
        return (await retire_policy_version(self.core, caller, "refunds", number, mark))[0]

    async def roll_back(
        self, number: int | None = None, *, by: Caller | None = None, key: str | None = None
    ) -> PolicyVersion:
        """`POST /policies/refunds/rollback`"""
        caller = by or self.owner
        mark = self._move_key(caller, number or 0, "rollback", key)
        return (await roll_back_policy(self.core, caller, "refunds", number, mark))[0]

    def _move_key(self, caller: Caller, number: int, what: str, key: str | None) -> IdempotencyKey | None:
        return idempotency(caller, f"/policies/refunds/versions/{number}/{what}", key, {})

    async def change(self, *, by: Caller | None = None, **changes: object) -> ReviewSettings:
        """`PUT /review-settings`"""
        return await change_review_settings(self.core, by or self.owner, _object(changes))

    async def suspend(self, kind: str, subject: str = "", *, tenant: int = 0) -> Suspension:
        """`POST /suspensions`"""
        tenant_id = self.owner_of(tenant).tenant_id
        made, _ = await suspend(self.core, tenant_id, SuspensionKind(kind), subject, "It does harm.", SYSTEM)
        return made

    async def release(self, suspension: Suspension, *, tenant: int = 0) -> Suspension:
        """`POST /suspensions/{suspension_id}/release`"""
        tenant_id = self.owner_of(tenant).tenant_id
        released, _ = await release(self.core, tenant_id, suspension.suspension_id, "It was mended.", SYSTEM)
        return released

    async def checkpoint(self) -> int:
        """What the worker does about once a second."""
        return await sign_checkpoints(self.core, cast("Any", self.cells))

    async def do_what_is_due(self) -> int:
        """The worker's other duty."""
        return await run_due_jobs(self.core)

    async def change_judge(self, *, by: Caller | None = None, **changes: object) -> JudgeSettings:
        """`PUT /judge-settings`"""
        return await change_judge_settings(self.core, by or self.owner, _object(changes))

    async def judge_what_waits(self, most: int = 16) -> int:
        """What the worker does for requests that await their judge, and waits for it."""
        jobs = await claim_judgements(self.core, most)
        for job in jobs:
            await judge_request(self.core, job)
        return len(jobs)

    @contextlib.asynccontextmanager
    async def held_writer(self) -> AsyncIterator[None]:
        """The writer is busy inside the block; what the block's tasks submit is one group afterwards."""
        busy, go_on = threading.Event(), threading.Event()

        def wait(_: Unit) -> Outcome[None]:
            busy.set()
            assert go_on.wait(30)
            return Outcome(None)

        holding = asyncio.create_task(self.core.store.run(wait))
        assert await asyncio.to_thread(busy.wait, 30)
        try:
            yield
            await _until_nothing_moves()
        finally:
            go_on.set()
            await holding

    def _answered(self, asked: tuple[Clearance, bool]) -> Answer:
        clearance, replayed = asked
        answer = Answer(self.core.answer(clearance))
        answer.replayed = replayed
        self.acknowledged.append(Acknowledged(clearance.tenant_id, "asked", answer))
        return answer


def told(house: House, asked: JsonObject, tenant: int = 0) -> list[str]:
    """The kinds of the ledger's events about a request, oldest first."""
    tenant_id, request_id = house.owner_of(tenant).tenant_id, str(asked["request_id"])
    about = house.core.store.read_and_wait(lambda connection: events_of_request(connection, tenant_id, request_id))
    return [kind for _, kind, _ in about]


def ignore_triggers(connection: Connection) -> None:
    """For the rest of the transaction, or of the file."""
    if connection.dialect.name != "sqlite":
        connection.execute(text("SET LOCAL session_replication_role = replica"))
        return
    for table in APPEND_ONLY:
        for action in ("update", "delete"):
            connection.execute(text(f"DROP TRIGGER IF EXISTS {table.name}_no_{action}"))


async def _until_nothing_moves() -> None:
    """Every task of the loop has run as far as it can without the writer."""
    for _ in range(5):
        await asyncio.sleep(0)


def idempotency(caller: Caller, path: str, key: str | None, body: JsonObject) -> IdempotencyKey | None:
    if key is None:
        return None
    return IdempotencyKey.of(
        tenant_id=caller.tenant_id,
        key_id=caller.identity,
        method="POST",
        path=path,
        key=key,
        body=json.dumps(body),
    )


def _object(value: object) -> JsonObject:
    made = json.from_python(value)
    assert isinstance(made, dict)
    return made
