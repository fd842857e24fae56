"""A policy as a file: what `POST /register-policy` takes, and the definition's members beside it.

policy_id: refunds
description: What support may give back.
tools: [stripe_refund]
sentences: ["Refunds must not exceed $1000"]
facts: {order_status: {enum: [open, delivered]}}     # what sentences may name by words
rules: []
otherwise: review
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from ledgix.formats.json import JsonObject
from ledgix_vault.jsontext import encode_text
from ledgix_vault.policy.definition import MEMBERS, Definition, definition_in
from ledgix_vault.policy.draft import LONGEST_ID, LONGEST_SENTENCE, MOST_SENTENCES, draft_written, sentences_alone
from ledgix_vault.policy.english import declared_facts
from ledgix_vault.policy.errors import PolicyError
from ledgix_vault.policy.marked import read
from ledgix_vault.policy.model import PolicyDocument
from ledgix_vault.policy.reading import DefinitionReader
from ledgix_vault.policy.schemas import ToolSchema

FILE_MEMBERS: Final = ("policy_id", "description", "tools", "sentences", "facts")


@dataclass(frozen=True, slots=True)
class PolicyFile:
    """One policy as its file says it. `definition` is the JSON of the definition's members, None if there are none."""

    policy_id: str
    description: str
    tools: tuple[str, ...]
    sentences: tuple[str, ...]
    facts: JsonObject
    definition: str | None
    written: Definition

    def document(self, schemas: Mapping[str, ToolSchema]) -> PolicyDocument:
        """The policy that registering this file makes; raises PolicyError with line and column of every flaw."""
        return draft_written(
            self.written,
            policy_id=self.policy_id,
            description=self.description,
            sentences=self.sentences,
            tools=self.tools,
            definition=self.definition or "",
            schemas=schemas,
            facts=declared_facts(self.facts),
        )

    def registration(self) -> JsonObject:
        """The body of `POST /register-policy`."""
        body: JsonObject = {
            "policy_id": self.policy_id,
            "description": self.description,
            "tools": list(self.tools),
            "rules": list(self.sentences),
        }
        if self.facts:
            body["facts"] = self.facts
        return body if self.definition is None else {**body, "definition": self.definition}


def parse_policy_file(text: str) -> PolicyFile:
    """Raises PolicyError with every flaw that was found, each with line and column."""
    root = read(text)
    reader = DefinitionReader()
    top = reader.members(root, "the policy", (*FILE_MEMBERS, *MEMBERS), required=("policy_id",))
    policy_id = reader.text(top.get("policy_id"), "policy_id", LONGEST_ID)
    if "policy_id" in top and not (policy_id and policy_id.isprintable()):
        reader.problem(top["policy_id"], "must be printable and not empty", "policy_id")
    description = reader.text(top.get("description"), "description")
    tools = reader.tools(top.get("tools"), "tools")
    sentences = tuple(
        reader.text(item, f"sentences[{i}]", LONGEST_SENTENCE)
        for i, item in enumerate(reader.items(top.get("sentences"), "sentences", MOST_SENTENCES))
    )
    facts = reader.value(top["facts"], "facts") if "facts" in top else {}
    if not isinstance(facts, dict):
        reader.problem(top["facts"], "must be a mapping of facts to what JSON Schema says of them", "facts")
        facts = {}
    own = {name: node for name, node in top.items() if name in MEMBERS}
    written = definition_in(reader, own) if own else sentences_alone(tools)
    if not own and not sentences:
        reader.problem(root, "says nothing: it needs sentences, rules or another part", "the policy")
    values = {name: reader.value(node, name) for name, node in own.items()} if not reader.problems else {}
    if reader.problems:
        raise PolicyError(reader.problems)
    definition = encode_text(values) if own else None
    return PolicyFile(policy_id, description, tools, sentences, facts, definition, written)
