"""`policies diff` and `policies apply`: a directory of policies against a Vault."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import typer

from ledgix.formats import jcs
from ledgix.formats.json import JsonObject
from ledgix_vault.cli.output import remark, say, say_json
from ledgix_vault.cli.policy_files import load
from ledgix_vault.cli.remote import RemoteVault
from ledgix_vault.errors import Conflict, Invalid
from ledgix_vault.operations.run_policy_cases import run_policy_cases
from ledgix_vault.policy.code.directory import Directory
from ledgix_vault.policy.code.policy_file import PolicyFile
from ledgix_vault.policy.difference import Difference, difference
from ledgix_vault.policy.errors import PolicyError
from ledgix_vault.policy.model import PolicyDocument
from ledgix_vault.policy.schemas import ToolSchema


@dataclass(frozen=True, slots=True)
class PolicyChange:
    """A policy of the directory that differs from what is active. `is_new`: nothing of that id is active. `standing`
    is how the policy stands in the Vault."""

    file: str
    policy: PolicyFile
    difference: Difference
    is_new: bool
    rests_on_documents: bool
    standing: JsonObject


@dataclass(frozen=True, slots=True)
class Plan:
    """What applying a directory would send, and the active policies that it doesn't speak of."""

    schemas: list[ToolSchema]
    policies: list[PolicyChange]
    untouched: list[str]

    @property
    def is_empty(self) -> bool:
        return not self.schemas and not self.policies


def diff(directory: Path, url: str, *, as_json: bool) -> None:
    """The command `policies diff`."""
    found = _sound(directory)
    with RemoteVault(url) as vault:
        plan = _plan(found, vault)
    if as_json:
        say_json(_as_json(plan))
    else:
        _show(plan)
    if not plan.is_empty:
        raise typer.Exit(1)


def apply(directory: Path, url: str, *, dry_run: bool, skip_tests: bool) -> None:
    """The command `policies apply`."""
    found = _sound(directory)
    if not skip_tests:
        _check_cases(found)
    with RemoteVault(url) as vault:
        plan = _plan(found, vault)
        if plan.is_empty or dry_run:
            _show(plan)
            return
        _check_documents(plan)
        for schema in plan.schemas:
            vault.put_schema(schema)
            say(f"schema {schema.tool_name}: registered")
        for change in plan.policies:
            answer = vault.register(change.policy.registration(), _key(change))
            say(f"policy {change.policy.policy_id}: {answer['message']}")


def _sound(directory: Path) -> Directory:
    found = load(directory)
    for problem in found.problems:
        remark(str(problem))
    if found.problems:
        raise typer.Exit(1)
    return found


def _check_cases(found: Directory) -> None:
    failed = [result for result in run_policy_cases(found) if not result.passed]
    for result in failed:
        remark(f"{result.file}:{result.case.line}: {result.case.why} {'; '.join(result.misses)}")
    if failed:
        raise Conflict(
            f"{len(failed)} cases fail; nothing was sent. `ledgix-vault policies test` says more.", code="cases_fail"
        )


def _check_documents(plan: Plan) -> None:
    """A file can't name documents: registering it would take away those on which the active version rests."""
    for change in plan.policies:
        if change.rests_on_documents:
            raise Conflict(
                f"{change.file}: the active version of {change.policy.policy_id} rests on documents, which a file can't"
                " name. Draft the new version through the API. Nothing was sent.",
                code="rests_on_documents",
            )


def _plan(found: Directory, vault: RemoteVault) -> Plan:
    known = vault.schemas()
    active, standing = vault.active()
    changed = [
        schema
        for name, schema in found.schemas.items()
        if name not in known or known[name].content_hash != schema.content_hash
    ]
    policies = list(_changes(found, {**known, **found.schemas}, active, standing))
    here = {policy.policy_id for policy in found.policies.values()}
    return Plan(changed, policies, sorted(active.keys() - here))


def _changes(
    found: Directory,
    schemas: Mapping[str, ToolSchema],
    active: Mapping[str, PolicyDocument],
    standing: Mapping[str, JsonObject],
) -> Iterator[PolicyChange]:
    for file, policy in found.policies.items():
        before = active.get(policy.policy_id)
        try:
            after = policy.document(schemas)
        except PolicyError as error:  # it fits the directory's schemas, but not one that only the Vault has
            raise Invalid(f"{file}: {error}") from error
        if before is None or before.content_hash != after.content_hash:
            changes, on_documents = difference(before, after), bool(before and before.sources)
            stands = standing.get(policy.policy_id, {})
            yield PolicyChange(file, policy, changes, before is None, on_documents, stands)


def _key(change: PolicyChange) -> str:
    """The same change again, after a broken connection, is the same request; after a rollback it is another."""
    return f"apply-{jcs.sha256_hex(change.policy.registration())}-{jcs.sha256_hex(change.standing)[:16]}"


def _show(plan: Plan) -> None:
    for schema in plan.schemas:
        say(f"schema {schema.tool_name}: differs")
    for change in plan.policies:
        say(f"policy {change.policy.policy_id}: {'new' if change.is_new else 'differs'}")
        for line in change.difference.text.splitlines():
            say(f"    {line}")
    for policy_id in plan.untouched:
        say(f"policy {policy_id}: active, not in this directory, left as it is")
    if plan.is_empty:
        say("Nothing differs.")


def _as_json(plan: Plan) -> JsonObject:
    return {
        "schemas": [schema.tool_name for schema in plan.schemas],
        "policies": [
            {"policy_id": change.policy.policy_id, "new": change.is_new, **change.difference.to_json()}
            for change in plan.policies
        ],
        "untouched": list(plan.untouched),
    }
