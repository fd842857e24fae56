"""Trying a policy out: over past requests, as a shadow, and against its tests. Nothing here decides anything."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from typing import Annotated, Any, cast

from fastapi import APIRouter, Query, Request
from starlette.responses import Response, StreamingResponse

from ledgix.formats.json import JsonObject
from ledgix_vault.errors import NotFound
from ledgix_vault.jsontext import encode
from ledgix_vault.operations.read_policies import read_policy, read_version, read_versions, shadow_report
from ledgix_vault.operations.run_policy_cases import CaseResult, run_policy_cases
from ledgix_vault.operations.search_requests import read_rows
from ledgix_vault.operations.simulate_policy import simulate_policy
from ledgix_vault.operations.steps.drafts import Draft
from ledgix_vault.policy.code.cases import parse_cases
from ledgix_vault.policy.code.directory import Directory
from ledgix_vault.policy.errors import PolicyError, Problem
from ledgix_vault.policy.versions import PolicyVersion
from ledgix_vault.tenancy.people import Member
from ledgix_vault.tenancy.scopes import Scope
from ledgix_vault.vault import Vault
from ledgix_vault.web.api.policy_versions import LARGEST_NUMBER, PolicyId
from ledgix_vault.web.api.simulation import NDJSON
from ledgix_vault.web.dashboard.frame import SignedIn, TheForm, TheVault, environment, render
from ledgix_vault.web.dashboard.shown.calls import shown_call
from ledgix_vault.web.dashboard.shown.links import policy_href, version_href
from ledgix_vault.web.dashboard.shown.trials import before_and_after, for_people, money_of

router = APIRouter()
USUAL = 1000
CHOICES = (100, 1000, 10_000, 100_000)
LARGEST_CASES = 1024 * 1024
VERSIONS_SHOWN = 100
ANumber = Annotated[int | None, Query(ge=1, le=LARGEST_NUMBER)]
HowMany = Annotated[int | None, Query(ge=1, le=CHOICES[-1])]


@router.get("/policies/{policy_id}/simulation")
async def get_simulation(
    policy_id: PolicyId,
    request: Request,
    vault: TheVault,
    member: SignedIn,
    version: ANumber = None,
    last: HowMany = None,
) -> Response:
    """The form; with `last`, what a version would have changed of the last requests."""
    chosen, versions = await _chosen(vault, member, policy_id, version)
    result = None if last is None else await _simulated(vault, member, policy_id, chosen.version, last)
    return render(
        request,
        "policy_simulation.html",
        member=member,
        title=f"{policy_id}: simulation",
        policy_id=policy_id,
        versions=versions,
        chosen=chosen,
        last=last or USUAL,
        choices=CHOICES,
        **await _result(vault, member, result),
    )


@router.get("/policies/{policy_id}/simulation/steps")
async def get_steps(
    policy_id: PolicyId,
    vault: TheVault,
    member: SignedIn,
    version: ANumber = None,
    last: HowMany = None,
) -> Response:
    """The same in steps: a line of JSON for each, the last with the result as HTML."""
    chosen, _ = await _chosen(vault, member, policy_id, version)
    steps = simulate_policy(vault, member, Draft(policy_id, version=chosen.version), last=last or USUAL)
    first = await anext(steps)  # what is refused is refused before an answer begins
    return StreamingResponse(_told(vault, member, first, steps), media_type=NDJSON)


@router.get("/policies/{policy_id}/shadow")
async def get_shadow(
    policy_id: PolicyId, request: Request, vault: TheVault, member: SignedIn, version: ANumber = None
) -> Response:
    """How the shadow, or one that was it, would have decided."""
    await read_policy(vault, member, policy_id)
    try:
        report: JsonObject | None = await shadow_report(vault, member, policy_id, number=version, last=10_000)
    except NotFound as error:
        if error.code != "no_shadow":
            raise
        report = None
    return render(
        request,
        "policy_shadow.html",
        member=member,
        title=f"{policy_id}: shadow",
        policy_id=policy_id,
        report=report,
        policy_href=policy_href,
        version_href=version_href,
    )


@router.get("/policies/{policy_id}/tests")
async def get_tests(
    policy_id: PolicyId, request: Request, vault: TheVault, member: SignedIn, version: ANumber = None
) -> Response:
    """A form for tests."""
    chosen, versions = await _chosen(vault, member, policy_id, version)
    return _tests_page(request, member, chosen, versions)


@router.post("/policies/{policy_id}/tests")
async def post_tests(
    policy_id: PolicyId, request: Request, vault: TheVault, member: SignedIn, form: TheForm
) -> Response:
    """Runs tests against a version; nothing is kept."""
    await read_policy(vault, member, policy_id)
    number = form.number("version", 1, LARGEST_NUMBER)
    chosen, versions = await _chosen(vault, member, policy_id, number)
    file = await form.file("file")
    text = form.raw("cases").replace("\r\n", "\n") if file is None else file.content.decode("utf-8", "replace")
    if not text.strip() or len(text) > LARGEST_CASES:
        problem = Problem("paste tests, or choose a file" if not text.strip() else "these are too many tests at once")
        return _tests_page(request, member, chosen, versions, text=text[:LARGEST_CASES], problems=[problem])
    try:
        results = await asyncio.to_thread(_run, vault, member, chosen, text)
    except PolicyError as error:
        return _tests_page(request, member, chosen, versions, text=text, problems=error.problems)
    return _tests_page(request, member, chosen, versions, text=text, results=results)


def _run(vault: Vault, member: Member, version: PolicyVersion, text: str) -> list[CaseResult]:
    schemas = vault.store.tenant(member.tenant_id).snapshot.schemas
    cases = {"pasted": parse_cases(text)}
    return list(run_policy_cases(Directory({}, {version.policy_id: version.document}, schemas, cases, ())))


def _tests_page(
    request: Request,
    member: Member,
    chosen: PolicyVersion,
    versions: Sequence[PolicyVersion],
    *,
    text: str = "",
    results: Sequence[CaseResult] | None = None,
    problems: Sequence[Problem] = (),
) -> Response:
    return render(
        request,
        "policy_tests.html",
        member=member,
        title=f"{chosen.policy_id}: tests",
        status=422 if problems else 200,
        policy_id=chosen.policy_id,
        versions=versions,
        chosen=chosen,
        text=text,
        results=results,
        failed=sum(not result.passed for result in results or ()),
        problems=problems,
        policy_href=policy_href,
    )


async def _chosen(
    vault: Vault, member: Member, policy_id: str, number: int | None
) -> tuple[PolicyVersion, list[PolicyVersion]]:
    """The version that is named, else the newest; and those to choose from."""
    member.require(Scope.POLICY)
    versions = await read_versions(vault, member, policy_id, limit=VERSIONS_SHOWN, before=None)
    return versions[0] if number is None else await read_version(vault, member, policy_id, number), versions


async def _simulated(vault: Vault, member: Member, policy_id: str, version: int, last: int) -> JsonObject:
    steps = simulate_policy(vault, member, Draft(policy_id, version=version), last=last)
    async with aclosing(steps):
        result: JsonObject = {}
        async for step in steps:
            result = step
    return result


async def _told(
    vault: Vault, member: Member, first: JsonObject, later: AsyncGenerator[JsonObject]
) -> AsyncIterator[bytes]:
    async with aclosing(later):  # also when whoever asked has gone: the next simulation may begin
        step = first
        if "changes" not in step:
            yield encode(step) + b"\n"
        async for step in later:
            if "changes" not in step:
                yield encode(step) + b"\n"
        shown = await _result(vault, member, step)
        html = environment().get_template("policy_simulation_result.html").render(**shown)
        yield encode({"html": html}) + b"\n"


async def _result(vault: Vault, member: Member, result: JsonObject | None) -> dict[str, Any]:
    """What the result's template takes."""
    if result is None:
        return {"result": None, "policy_href": policy_href}
    found = cast("Any", result)
    rows = await read_rows(vault, member, [each["request_id"] for each in found["examples"]])
    return {
        "result": found,
        "chart": before_and_after(found),
        "for_people": for_people(found["review_load"]),
        "calls": {request_id: shown_call(vault, member.tenant_id, row) for request_id, row in rows.items()},
        "policy_href": policy_href,
        "money_of": money_of,
    }
