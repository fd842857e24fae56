"""The checks, one function each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from ledgix_vault.policy.cel.tree import Each, Function, Node, path_of, walk
from ledgix_vault.policy.cel.types import Kind
from ledgix_vault.policy.conditions import Condition
from ledgix_vault.policy.effect import Effect
from ledgix_vault.policy.globs import covers, is_literal, matches
from ledgix_vault.policy.lint.findings import Code, Finding
from ledgix_vault.policy.lint.regions import Region, Subject, contained, is_plain, regions
from ledgix_vault.policy.model import PolicyDocument, Rule
from ledgix_vault.policy.money import Path
from ledgix_vault.policy.schemas import ToolSchema


def lint(document: PolicyDocument, schemas: Mapping[str, ToolSchema]) -> list[Finding]:
    """Every finding, rule by rule. `schemas` are those of the tools that are known; without any, nothing is said about
    tools and their arguments."""
    return [
        *_unknown_tools(document, schemas),
        *_unsatisfiable(document, schemas),
        *_never_applies(document),
        *_duplicates(document),
        *_shadowed(document),
        *_unbounded_money(document, schemas),
        *_optional_arguments(document, schemas),
    ]


def _unknown_tools(document: PolicyDocument, schemas: Mapping[str, ToolSchema]) -> Iterator[Finding]:
    if not schemas:
        return
    for where, patterns in _patterns(document):
        for pattern in patterns:
            if not any(matches(pattern, name) for name in schemas):
                yield Finding(Code.UNKNOWN_TOOL, f"`{pattern}` matches no tool that has a schema", where)


def _patterns(document: PolicyDocument) -> Iterator[tuple[str, Sequence[str]]]:
    yield "tools", document.tools
    yield from ((f"rule {rule.id}", rule.tools) for rule in document.rules)
    yield from ((f"limit {limit.id}", limit.tools) for limit in document.limits)
    yield from ((f"destinations {each.id}", each.tools) for each in document.destinations)


def _unsatisfiable(document: PolicyDocument, schemas: Mapping[str, ToolSchema]) -> Iterator[Finding]:
    for rule in document.rules:
        left = regions(rule.when)
        empty = [subject for subject, region in left.items() if region.is_empty]
        if empty:
            yield Finding(Code.UNSATISFIABLE, f"no value of {_named(empty[0])} meets all conditions", f"rule {rule.id}")
            continue
        met = [schema for name, schema in schemas.items() if covers(document.tools, name) and covers(rule.tools, name)]
        for subject, region in left.items():
            if met and all(_is_outside(region, schema, subject) for schema in met):
                message = f"no value that the schema allows for {_named(subject)} meets all conditions"
                yield Finding(Code.UNSATISFIABLE, message, f"rule {rule.id}")


def _is_outside(region: Region, schema: ToolSchema, subject: Subject) -> bool:
    """Whether the schema lists the values of an argument, and none of them is in the region."""
    if len(subject) != 2 or subject[0] != "args":
        return False
    properties = schema.schema.get("properties")
    declared = properties.get(subject[1]) if isinstance(properties, dict) else None
    values = declared.get("enum") if isinstance(declared, dict) else None
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        return False
    return not any(region.has(value) for value in values if isinstance(value, str))


def _never_applies(document: PolicyDocument) -> Iterator[Finding]:
    if not document.tools or not all(is_literal(tool) for tool in document.tools):
        return
    for where, patterns in _patterns(document):
        if where != "tools" and patterns and not any(covers(patterns, tool) for tool in document.tools):
            yield Finding(Code.NEVER_APPLIES, "its tools are none that the policy covers", where)


def _duplicates(document: PolicyDocument) -> Iterator[Finding]:
    seen: dict[tuple[object, ...], str] = {}
    for rule in document.rules:
        meaning = (rule.effect, frozenset(rule.tools), frozenset(condition.text for condition in rule.when))
        if meaning in seen:
            yield Finding(Code.DUPLICATE, f"says the same as rule {seen[meaning]}", f"rule {rule.id}")
        seen.setdefault(meaning, rule.id)


def _shadowed(document: PolicyDocument) -> Iterator[Finding]:
    for rule in document.rules:
        if rule.effect is Effect.DENY:
            continue
        for other in document.rules:
            if _is_stricter(other, rule) and _has_all_tools(other, rule) and _always_fires_with(other, rule):
                yield Finding(Code.SHADOWED, f"rule {other.id} ({other.effect}) always wins over it", f"rule {rule.id}")
                break


def _is_stricter(one: Rule, other: Rule) -> bool:
    order = list(Effect)
    return order.index(one.effect) > order.index(other.effect)


def _has_all_tools(wide: Rule, narrow: Rule) -> bool:
    if not wide.tools:
        return True
    return bool(narrow.tools) and all(
        tool in wide.tools or (is_literal(tool) and covers(wide.tools, tool)) for tool in narrow.tools
    )


def _always_fires_with(other: Rule, rule: Rule) -> bool:
    """Whether `other` surely fires wherever `rule` does: each of its conditions follows from those of `rule`."""
    own, texts = regions(rule.when), {condition.text for condition in rule.when}
    return all(
        condition.text in texts or (is_plain(condition) and contained(own, regions([condition])))
        for condition in other.when
    )


def _unbounded_money(document: PolicyDocument, schemas: Mapping[str, ToolSchema]) -> Iterator[Finding]:
    for rule in document.rules:
        if rule.effect is Effect.APPROVE:
            for path in _money_paths(document, rule.tools, rule.when, schemas):
                if not _has_upper_bound(rule.when, path) and not _bounded_elsewhere(document, path):
                    yield Finding(Code.UNBOUNDED_MONEY, _unbounded(path), f"rule {rule.id}")
    if document.otherwise is Effect.APPROVE:
        conditions = [condition for rule in document.rules for condition in rule.when]
        for path in _money_paths(document, (), conditions, schemas):
            if not _bounded_elsewhere(document, path):
                yield Finding(Code.UNBOUNDED_MONEY, _unbounded(path), "otherwise")


def _unbounded(path: Path) -> str:
    return f"approves whatever {'.'.join(path)} is: nothing bounds it from above"


def _money_paths(
    document: PolicyDocument,
    tools: Sequence[str],
    conditions: Sequence[Condition],
    schemas: Mapping[str, ToolSchema],
) -> list[Path]:
    """Declared money fields of the tools; without a schema the amount that conditions speak of."""
    met = [schema for name, schema in schemas.items() if covers(document.tools, name) and covers(tools, name)]
    declared = {path for schema in met for path in schema.money}
    spoken_of = {
        subject[-1:]
        for subject in regions(conditions)
        if subject[-2:] == ("args", "amount") or (subject[0] == "money" and len(subject) == 4)
    }
    return sorted(declared if met else spoken_of)


def _has_upper_bound(conditions: Sequence[Condition], path: Path) -> bool:
    return any(
        subject[-len(path) - 1 :] == ("args", *path) and (region.high is not None or region.allowed is not None)
        for subject, region in regions(conditions).items()
    )


def _bounded_elsewhere(document: PolicyDocument, path: Path) -> bool:
    """Whether a rule denies or reviews everything above some amount, a limit adds the amounts up, or a condition that
    isn't a plain comparison might do so."""
    for rule in document.rules:
        if rule.effect is not Effect.APPROVE and any(not is_plain(c) and _reads(c.node, path) for c in rule.when):
            return True
        found = regions(rule.when)
        alone = len(rule.when) == 1 and len(found) == 1 and is_plain(rule.when[0])
        if rule.effect is not Effect.APPROVE and alone:
            ((subject, region),) = found.items()
            if subject[-len(path) - 1 :] == ("args", *path) and region.low is not None and region.high is None:
                return True
    return any(limit.sum is not None and _reads(limit.sum.node, path) for limit in document.limits)


def _reads(node: Node, path: Path) -> bool:
    return any(path_of(inner) == ("args", *path) for inner, _ in walk(node))


def _optional_arguments(document: PolicyDocument, schemas: Mapping[str, ToolSchema]) -> Iterator[Finding]:
    for rule in document.rules:
        said: set[str] = set()
        for name, schema in schemas.items():
            if not (covers(document.tools, name) and covers(rule.tools, name)):
                continue
            for argument in _arguments(rule.when) - said:
                if _is_optional(schema, argument):
                    said.add(argument)
                    message = f"{name} may be called without {argument}; such a call goes to a person"
                    yield Finding(Code.OPTIONAL_ARGUMENT, message, f"rule {rule.id}")


def _arguments(conditions: Sequence[Condition]) -> set[str]:
    """Arguments that the conditions can't do without: those that nothing asks about with `has` or `given`."""
    read: set[str] = set()
    asked: set[str] = set()
    for condition in conditions:
        for node, _ in walk(condition.node):
            match node:
                case Function(name="has" | "given", operands=(of,)) if (path := path_of(of)) and path[0] == "args":
                    asked.update(path[1:2])
                case Each():
                    pass
                case _ if (path := path_of(node)) and path[0] == "args" and len(path) > 1:
                    read.add(path[1])
    return read - asked


def _is_optional(schema: ToolSchema, argument: str) -> bool:
    fields = schema.args.fields or {}
    required = schema.schema.get("required")
    is_required = isinstance(required, list) and argument in required
    return argument in fields and fields[argument].kind is not Kind.NULL and not is_required


def _named(subject: Subject) -> str:
    path = subject[2:] if subject[0] == "money" else subject
    return ".".join(path[1:] if path[0] == "args" else path)
