"""A directory of policies as code: YAML files are policies, `schemas/` has a JSON Schema for each tool, `cases/` has
cases. A YAML file that is none of these is refused, so that a misspelt one isn't silently left out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from ledgix.errors import FormatError
from ledgix.formats import json
from ledgix_vault.policy.code.cases import Case, parse_cases
from ledgix_vault.policy.code.policy_file import PolicyFile, parse_policy_file
from ledgix_vault.policy.errors import PolicyError, Problem
from ledgix_vault.policy.model import PolicyDocument
from ledgix_vault.policy.schemas import ToolSchema

S = TypeVar("S")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class FileProblem:
    """A flaw and the file that has it."""

    file: str
    problem: Problem

    def __str__(self) -> str:
        line, column = self.problem.line, self.problem.column
        place = f":{line}:{column}" if line is not None else ""
        known = f" Known: {', '.join(self.problem.known_fields)}." if self.problem.known_fields else ""
        where = f"{self.problem.where}: " if self.problem.where else ""
        return f"{self.file}{place}: {where}{self.problem.message}{known}"


@dataclass(frozen=True, slots=True)
class Directory:
    """What a directory holds, by file name. `documents` are the policies that compiled, by policy id."""

    policies: Mapping[str, PolicyFile]
    documents: Mapping[str, PolicyDocument]
    schemas: Mapping[str, ToolSchema]
    cases: Mapping[str, list[Case]]
    problems: tuple[FileProblem, ...]


def is_part(name: str) -> bool:
    """Whether a file of this name (with `/`, below the directory) belongs to policies as code."""
    if name.startswith("schemas/"):
        return name.endswith(".json")
    return name.endswith((".yaml", ".yml"))


def read_directory(files: Mapping[str, str]) -> Directory:
    """Reads all `files` (name below the directory → text); every flaw of every file is kept."""
    keeper = _Keeper()
    schemas: dict[str, ToolSchema] = {}
    policies: dict[str, PolicyFile] = {}
    cases: dict[str, list[Case]] = {}
    for name, text in sorted(files.items()):
        match name.partition("/")[0]:
            case "schemas":
                keeper.keep(name, partial(_add_schema, schemas, name, text))
            case "cases":
                keeper.keep(name, partial(_put, cases, name, parse_cases, text))
            case _:
                keeper.keep(name, partial(_put, policies, name, parse_policy_file, text))
    documents: dict[str, PolicyDocument] = {}
    for name, policy in policies.items():
        if policy.policy_id in documents:
            keeper.add(name, Problem(f"another file has the policy `{policy.policy_id}`", where="policy_id"))
        keeper.keep(name, partial(_put, documents, policy.policy_id, policy.document, schemas))
    if not policies and not keeper.problems:
        keeper.add(".", Problem("there is no policy here: a YAML file with `policy_id`"))
    return Directory(policies, documents, schemas, cases, tuple(keeper.problems))


def _put(found: dict[str, T], name: str, read: Callable[[S], T], of: S) -> None:
    found[name] = read(of)


def _add_schema(schemas: dict[str, ToolSchema], name: str, text: str) -> None:
    tool = name.rpartition("/")[2].removesuffix(".json")
    try:
        schema = json.parse_object(text.encode())
    except FormatError as error:
        raise PolicyError([Problem(str(error))]) from error
    schemas[tool] = ToolSchema.parse(tool, schema)


class _Keeper:
    """Runs readers and keeps what they raise, with the name of the file."""

    def __init__(self) -> None:
        self.problems: list[FileProblem] = []

    def add(self, file: str, problem: Problem) -> None:
        self.problems.append(FileProblem(file, problem))

    def keep(self, file: str, work: Callable[[], None]) -> None:
        try:
            work()
        except PolicyError as error:
            self.problems.extend(FileProblem(file, problem) for problem in error.problems)


def rules_of(documents: Mapping[str, PolicyDocument]) -> Iterator[tuple[str, str]]:
    """(policy id, rule id) of every rule."""
    for policy_id, document in documents.items():
        yield from ((policy_id, rule.id) for rule in document.rules)
