"""`policies lint`, `test` and `schema`: policies as code, checked without a Vault."""

from __future__ import annotations

import json
from pathlib import Path

import typer

from ledgix.formats.json import JsonObject
from ledgix_vault.cli.output import remark, say, say_json
from ledgix_vault.operations.run_policy_cases import CaseResult, run_policy_cases
from ledgix_vault.policy import lint as policy_lint
from ledgix_vault.policy.code.directory import Directory, FileProblem, is_part, read_directory, rules_of
from ledgix_vault.policy.code.editor_schema import editor_schema

LARGEST_FILE = 1024 * 1024


def lint(directory: Path, *, as_json: bool) -> None:
    """The command `policies lint`."""
    found = load(directory)
    findings = {name: policy_lint.lint(document, found.schemas) for name, document in found.documents.items()}
    if as_json:
        say_json(
            {
                "problems": [_as_json(problem) for problem in found.problems],
                "policies": sorted(found.documents),
                "findings": _findings(findings),
            }
        )
    else:
        for problem in found.problems:
            remark(str(problem))
        for policy_id, document in found.documents.items():
            open_text = len(document.open_text)
            left = f", {open_text} left as text for people" if open_text else ""
            say(f"{policy_id}: {len(document.rules)} rules{left}")
            for finding in findings[policy_id]:
                say(f"    {finding}")
    if found.problems:
        raise typer.Exit(1)


def run_cases(directory: Path, *, as_json: bool) -> None:
    """The command `policies test`."""
    found = load(directory)
    if found.problems:
        for problem in found.problems:
            remark(str(problem))
        raise typer.Exit(1)
    results = list(run_policy_cases(found))
    fired = {name for result in results for name in result.fired}
    silent = [
        f"{policy_id}/{rule_id}"
        for policy_id, rule_id in rules_of(found.documents)
        if (policy_id, rule_id) not in fired
    ]
    failed = [result for result in results if not result.passed]
    if as_json:
        say_json(
            {"cases": len(results), "failed": [_failure(each) for each in failed], "rules_never_fired": list(silent)}
        )
    else:
        _tell(results, failed, silent)
    if failed or not results:
        raise typer.Exit(1)


def schema() -> None:
    """The command `policies schema`."""
    typer.echo(json.dumps(editor_schema(), indent=2))


def load(directory: Path) -> Directory:
    """Everything that belongs to policies as code below `directory`."""
    files: dict[str, str] = {}
    unreadable: list[str] = []
    for path in sorted(directory.rglob("*")):
        name = path.relative_to(directory).as_posix()
        if not path.is_file() or name.startswith(".") or not is_part(name):
            continue
        if path.stat().st_size > LARGEST_FILE:
            unreadable.append(f"{name}: is larger than {LARGEST_FILE // 1024} KiB")
            continue
        try:
            files[name] = path.read_text("utf-8")
        except UnicodeDecodeError:
            unreadable.append(f"{name}: is no UTF-8 text")
    if unreadable:
        raise typer.BadParameter("; ".join(unreadable), param_hint="DIR")
    return read_directory(files)


def _tell(results: list[CaseResult], failed: list[CaseResult], silent: list[str]) -> None:
    for result in failed:
        say(f"FAILED {result.file}:{result.case.line}: {result.case.why}")
        for miss in result.misses:
            say(f"    {miss}")
        if result.reason:
            say(f"    {result.reason}")
        for rule in result.trace:
            say(f"    {rule['result']:<8}{rule['policy_id']}/{rule['rule_id']}")
    if silent:
        say(f"No case makes these rules fire: {', '.join(silent)}")
    say(f"{len(results) - len(failed)} passed, {len(failed)} failed")
    if not results:
        remark("There are no cases: put some into cases/*.yaml.")


def _failure(result: CaseResult) -> JsonObject:
    return {
        "file": result.file,
        "line": result.case.line,
        "why": result.case.why,
        "misses": list(result.misses),
        "reason": result.reason,
        "trace": list(result.trace),
    }


def _findings(by_policy: dict[str, list[policy_lint.Finding]]) -> list[JsonObject]:
    return [{"policy_id": name, **finding.to_json()} for name, found in by_policy.items() for finding in found]


def _as_json(problem: FileProblem) -> JsonObject:
    return {"file": problem.file, **problem.problem.to_json()}
