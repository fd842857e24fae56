"""From what a person sent, sentences and a definition, to a document that can be activated.

What `otherwise` becomes for sentences alone, and why it is approve:

English rules are constraints, not permits: "Refunds must not exceed $1000" denies above, "Amounts above 100 USD need
review" sends to a person above, and neither sentence says "approve". Approval needs a ground of its own, and that
ground is the confirmed policy itself: somebody with the right to do so named the tools, and every word that they wrote
is enforced. So a call within all limits is approved by `otherwise`, provided that

- every sentence compiled: one that didn't could have forbidden exactly this call, so the whole policy only reviews;
- `tools` names tools: "all tools", written as nothing or as `*`, was never looked at by anybody, so nothing is
  approved by silence;
- every condition of every rule could be decided for this call: one that is unknown (an amount that is missing, null,
  a string, negative, in another currency) makes the verdict review before `otherwise` is asked.

A definition says `otherwise` itself; it is review when it doesn't, also for sentences that stand beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias

from ledgix_vault.policy.cel.errors import ConditionError
from ledgix_vault.policy.cel.tree import Node
from ledgix_vault.policy.cel.types import UNDECLARED, Flaw, Type, number_errors, type_errors, value_errors
from ledgix_vault.policy.conditions import Condition, Expression
from ledgix_vault.policy.definition import Definition, WrittenRule, parse_definition
from ledgix_vault.policy.english import Fact, compile_sentence
from ledgix_vault.policy.errors import PolicyError, Problem
from ledgix_vault.policy.globs import LONGEST_GLOB, covers
from ledgix_vault.policy.marked import Text
from ledgix_vault.policy.model import Effect, PolicyDocument, Rule, settled_otherwise
from ledgix_vault.policy.parts import JudgeTerms, Limit, Source
from ledgix_vault.policy.schemas import ToolSchema
from ledgix_vault.policy.written import WrittenJudge, WrittenLimit

LONGEST_ID = 256
LONGEST_SENTENCE = 4000
MOST_SENTENCES = 500
MOST_TOOLS = 500


def draft_policy(
    *,
    policy_id: str,
    description: str,
    sentences: Sequence[str],
    tools: Sequence[str],
    definition: str | None,
    schemas: Mapping[str, ToolSchema],
    sources: Sequence[Source] = (),
    set_aside: Sequence[str] = (),
    facts: Mapping[str, Fact] | None = None,
) -> PolicyDocument:
    """Raises PolicyError with every flaw of the form; a sentence that isn't understood is no flaw but `uncompiled`."""
    problems = list(_flaws_of_form(policy_id, sentences, tools))
    if problems:
        raise PolicyError(problems)
    written = parse_definition(definition) if definition is not None else sentences_alone(tools)
    return draft_written(
        written,
        policy_id=policy_id,
        description=description,
        sentences=sentences,
        tools=tools,
        definition=definition or "",
        schemas=schemas,
        sources=sources,
        set_aside=set_aside,
        facts=facts,
    )


def draft_written(
    written: Definition,
    *,
    policy_id: str,
    description: str,
    sentences: Sequence[str],
    tools: Sequence[str],
    definition: str,
    schemas: Mapping[str, ToolSchema],
    sources: Sequence[Source] = (),
    set_aside: Sequence[str] = (),
    facts: Mapping[str, Fact] | None = None,
) -> PolicyDocument:
    """The same from a definition that was read already; `definition` is its text, to be kept."""
    covered = tuple(dict.fromkeys(tools))
    compiler = _Compiler(covered, schemas)
    rules = [compiler.rule(rule) for rule in written.rules]
    limits = tuple(compiler.limit(limit) for limit in written.limits)
    terms = compiler.judge(written.judge) if written.judge else None
    if compiler.problems:
        raise PolicyError(compiler.problems)
    taken = {rule.id for rule in rules}
    uncompiled: list[str] = []
    for number, sentence in enumerate(sentences, start=1):
        understood = compile_sentence(sentence, covered, schemas, facts)
        if understood is None:
            uncompiled.append(sentence)
        else:
            rules.extend(_named(understood, number, taken))
    document = PolicyDocument(
        policy_id=policy_id,
        description=description,
        tools=covered,
        rules=tuple(rules),
        uncompiled=tuple(uncompiled),
        sentences=tuple(sentences),
        otherwise=written.otherwise,
        action_category=written.action_category,
        definition=definition,
        tables=written.tables,
        limits=limits,
        destinations=written.destinations,
        registers=written.registers,
        judge=terms,
        sources=tuple(sources),
        set_aside=tuple(sentence for sentence in dict.fromkeys(set_aside) if sentence in uncompiled),
        retry_after_unknown=written.retry_after_unknown,
    )
    return replace(document, otherwise=settled_otherwise(document))


def marked(document: PolicyDocument, set_aside: Sequence[str], settled: Sequence[str]) -> PolicyDocument:
    """The document with further marks of a person: sentences set aside, documents (by id) settled. With less text left
    open, its `otherwise` is again what was written."""
    aside = {*document.set_aside, *set_aside}
    written = parse_definition(document.definition) if document.definition else sentences_alone(document.tools)
    found = replace(
        document,
        otherwise=written.otherwise,
        set_aside=tuple(sentence for sentence in document.uncompiled if sentence in aside),
        sources=tuple(replace(s, settled=s.settled or s.document_id in settled) for s in document.sources),
    )
    return replace(found, otherwise=settled_otherwise(found))


def schema_problems(document: PolicyDocument, schemas: Mapping[str, ToolSchema]) -> tuple[Problem, ...]:
    """What in an existing document could not work with `schemas`: to be asked before a schema changes under it."""
    found: list[Problem] = []
    for where, tools, node, errors in _checked(document):
        found.extend(
            Problem(f"{flaw.message} (tool {tool})", where=where, known_fields=flaw.known_fields)
            for tool, flaw in _flaws_with(node, _met(tools, document.tools, schemas), errors)
        )
    return tuple(found)


_Checked: TypeAlias = tuple[str, tuple[str, ...], Node, Callable[[Node, Type], list[Flaw]]]


def _checked(document: PolicyDocument) -> Iterator[_Checked]:
    """Everything in a document that is checked against schemas: where it stands, for which tools, and as what."""
    for rule in document.rules:
        yield from ((f"rule {rule.id}", rule.tools, condition.node, type_errors) for condition in rule.when)
    for limit in document.limits:
        where = f"limit {limit.id}"
        yield from ((where, limit.tools, condition.node, type_errors) for condition in limit.when)
        yield from ((where, limit.tools, expression.node, value_errors) for expression in limit.per)
        if limit.sum is not None:
            yield where, limit.tools, limit.sum.node, number_errors
    if document.judge is not None:
        yield from (("judge", (), condition.node, type_errors) for condition in document.judge.when)


def sentences_alone(tools: Sequence[str]) -> Definition:
    """What sentences without a definition say beside themselves."""
    names_tools = all(pattern.strip("*?") for pattern in tools)
    return Definition((), Effect.APPROVE if names_tools else Effect.REVIEW, "")


def _flaws_of_form(policy_id: str, sentences: Sequence[str], tools: Sequence[str]) -> Iterator[Problem]:
    if not 1 <= len(policy_id) <= LONGEST_ID:
        yield Problem(f"must have 1 to {LONGEST_ID} characters", where="policy_id")
    if len(sentences) > MOST_SENTENCES:
        yield Problem(f"at most {MOST_SENTENCES} sentences", where="rules")
    for i, sentence in enumerate(sentences):
        if len(sentence) > LONGEST_SENTENCE:
            yield Problem(f"at most {LONGEST_SENTENCE} characters", where=f"rules[{i}]")
    if len(tools) > MOST_TOOLS:
        yield Problem(f"at most {MOST_TOOLS} tools", where="tools")
    for i, tool in enumerate(tools):
        if not 1 <= len(tool) <= LONGEST_GLOB:
            yield Problem(f"a tool pattern has 1 to {LONGEST_GLOB} characters", where=f"tools[{i}]")


class _Compiler:
    """Compiles what a definition wrote against the schemas of the tools that it meets; keeps every problem."""

    def __init__(self, covered: tuple[str, ...], schemas: Mapping[str, ToolSchema]) -> None:
        self.covered = covered
        self.schemas = schemas
        self.problems: list[Problem] = []

    def rule(self, rule: WrittenRule) -> Rule:
        when = self._conditions(rule.when, rule.tools, f"rule {rule.id}")
        return Rule(rule.id, rule.effect, rule.tools, when, rule.source)

    def limit(self, limit: WrittenLimit) -> Limit:
        where = f"limit {limit.id}"
        summed = self._expression(limit.sum, limit.tools, where, number_errors) if limit.sum else None
        per = [self._expression(text, limit.tools, where, value_errors) for text in limit.per]
        return Limit(
            id=limit.id,
            effect=limit.effect,
            tools=limit.tools,
            when=self._conditions(limit.when, limit.tools, where),
            sum=summed,
            per=tuple(expression for expression in per if expression),
            window=limit.window,
            timezone=limit.timezone,
            most=limit.most,
            source=limit.source,
        )

    def judge(self, judge: WrittenJudge) -> JudgeTerms:
        return JudgeTerms(judge.may, self._conditions(judge.when, (), "judge"), judge.times)

    def _conditions(self, texts: Sequence[Text], tools: tuple[str, ...], where: str) -> tuple[Condition, ...]:
        met = _met(tools, self.covered, self.schemas)
        when: list[Condition] = []
        for text in texts:
            try:
                condition = Condition.parse(text.value)
            except ConditionError as error:
                self.problems.append(_problem(text, where, error.message, error.offset, ()))
                continue
            when.append(condition)
            for tool, flaw in _flaws_with(condition.node, met):
                message = f"{flaw.message} (tool {tool})"
                self.problems.append(_problem(text, where, message, flaw.offset, flaw.known_fields))
        return tuple(when)

    def _expression(
        self, text: Text, tools: tuple[str, ...], where: str, errors: Callable[[Node, Type], list[Flaw]]
    ) -> Expression | None:
        try:
            expression = Expression.parse(text.value)
        except ConditionError as error:
            self.problems.append(_problem(text, where, error.message, error.offset, ()))
            return None
        flaws = [("", flaw) for flaw in errors(expression.node, UNDECLARED)]
        for tool, flaw in flaws or _flaws_with(expression.node, _met(tools, self.covered, self.schemas), errors):
            message = f"{flaw.message} (tool {tool})" if tool else flaw.message
            self.problems.append(_problem(text, where, message, flaw.offset, flaw.known_fields))
        return expression


def _met(own: Sequence[str], policy: Sequence[str], schemas: Mapping[str, ToolSchema]) -> list[ToolSchema]:
    """The schemas of the tools that a rule applies to, by tool name."""
    return [schema for name, schema in sorted(schemas.items()) if covers(policy, name) and covers(own, name)]


def _flaws_with(
    node: Node, met: Sequence[ToolSchema], errors: Callable[[Node, Type], list[Flaw]] = type_errors
) -> Iterator[tuple[str, Flaw]]:
    """Type errors with the tool that has them, each kind of error once for each place."""
    seen: set[tuple[str, int]] = set()
    for schema in met:
        for flaw in errors(node, schema.args):
            if (flaw.message, flaw.offset) not in seen:
                seen.add((flaw.message, flaw.offset))
                yield schema.tool_name, flaw


def _problem(text: Text, where: str, message: str, offset: int, known: tuple[str, ...]) -> Problem:
    line, column = text.place(offset)
    return Problem(message, line, column, where, known)


def _named(rules: Sequence[Rule], number: int, taken: set[str]) -> Iterator[Rule]:
    """Gives a sentence's rules their ids: `r3`, or `r3a`, `r3b` … where it takes several; never one that is taken."""
    for i, rule in enumerate(rules):
        wanted = f"r{number}" + (chr(ord("a") + i) if len(rules) > 1 else "")
        while wanted in taken:
            wanted += "-s"
        taken.add(wanted)
        yield Rule(wanted, rule.effect, rule.tools, rule.when, rule.source, rule.assumptions)
