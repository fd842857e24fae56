"""Running the cases of policies as code: no Vault, no store, the same evaluation that decides live."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from ledgix.formats.json import JsonObject
from ledgix_vault.clearance.request import ClearanceRequest
from ledgix_vault.errors import Invalid
from ledgix_vault.operations.steps.evaluate import call_of
from ledgix_vault.policy.code.cases import Case
from ledgix_vault.policy.code.directory import Directory
from ledgix_vault.policy.effect import Effect
from ledgix_vault.policy.evaluate import Evaluation, evaluate
from ledgix_vault.policy.snapshot import ActivePolicy, Snapshot


@dataclass(frozen=True, slots=True)
class CaseResult:
    """What came of one case. `misses` says what is not as expected; empty when all is."""

    file: str
    case: Case
    misses: tuple[str, ...]
    reason: str
    trace: tuple[JsonObject, ...]
    fired: frozenset[tuple[str, str]]
    """(policy id, rule id) of every rule that fired."""

    @property
    def passed(self) -> bool:
        return not self.misses


def run_policy_cases(directory: Directory) -> Iterator[CaseResult]:
    """Runs every case against all policies of the directory together; nothing covers a call: review."""
    policies = [ActivePolicy(document, f"draft-of-{name}", 1) for name, document in directory.documents.items()]
    snapshot = Snapshot(1, policies, directory.schemas, Effect.REVIEW)
    for file, cases in directory.cases.items():
        for case in cases:
            yield _run(snapshot, file, case)


def _run(snapshot: Snapshot, file: str, case: Case) -> CaseResult:
    try:
        request = ClearanceRequest.parse(case.request)
    except Invalid as error:
        return CaseResult(file, case, (f"{error.path}: {error.detail}",), "", (), frozenset())
    call = replace(call_of(request), now=case.now, session_calls=case.earlier)
    found = evaluate(snapshot, call)
    return CaseResult(
        file,
        case,
        tuple(case.expect.misses(found)),
        found.reason,
        tuple(rule.to_json() for rule in found.trace),
        _fired(found),
    )


def _fired(found: Evaluation) -> frozenset[tuple[str, str]]:
    return frozenset(
        (verdict.policy_id, result.rule.id)
        for verdict in found.verdicts
        for result in verdict.rules
        if result.outcome is True
    )
