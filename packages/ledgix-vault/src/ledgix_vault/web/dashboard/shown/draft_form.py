"""A policy as the form holds it: text as somebody typed it, and what it stands for."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ledgix_vault.errors import Invalid
from ledgix_vault.operations.steps.drafting import Registration, SourceRef
from ledgix_vault.policy.versions import PolicyVersion
from ledgix_vault.sources.document import DocumentVersion
from ledgix_vault.web.api.policies import LONGEST_POLICY_ID, LONGEST_SENTENCE, MOST_SENTENCES
from ledgix_vault.web.dashboard.door import Form
from ledgix_vault.web.dashboard.shown.starters import Starter

MOST_SOURCES = 100
_SOURCE = re.compile(r"([A-Za-z0-9][A-Za-z0-9._:-]{0,127})@([1-9][0-9]{0,8})")


@dataclass(frozen=True, slots=True)
class DraftForm:
    """`sources` are documents as "id@version"; `set_aside` the sentences that were marked in the version before."""

    policy_id: str = ""
    description: str = ""
    tools: str = ""
    sentences: str = ""
    definition: str = ""
    sources: tuple[str, ...] = ()
    set_aside: tuple[str, ...] = ()

    @property
    def lines(self) -> tuple[str, ...]:
        """The sentences: one on each line, without those that are empty."""
        return tuple(line.strip() for line in self.sentences.splitlines() if line.strip())

    @property
    def patterns(self) -> tuple[str, ...]:
        """The tools, however they are separated."""
        return tuple(dict.fromkeys(re.split(r"[\s,;]+", self.tools.strip()))) if self.tools.strip() else ()

    @property
    def says_something(self) -> bool:
        return bool(self.lines or self.definition.strip())

    def registration(self) -> Registration:
        """What it stands for; raises `Invalid` naming the field that is wrong."""
        lines = self.lines
        if not 1 <= len(self.policy_id) <= LONGEST_POLICY_ID or not self.policy_id.isprintable():
            raise Invalid(f"Give the policy a name of 1 to {LONGEST_POLICY_ID} characters.", path="policy_id")
        if not self.says_something:
            raise Invalid("Write at least one sentence.", path="sentences")
        if len(lines) > MOST_SENTENCES:
            raise Invalid(f"A policy has at most {MOST_SENTENCES} sentences.", path="sentences")
        if too_long := next((line for line in lines if len(line) > LONGEST_SENTENCE), None):
            raise Invalid(f"This sentence is too long: “{too_long[:80]}…”", path="sentences")
        return Registration(
            policy_id=self.policy_id,
            description=self.description,
            sentences=lines,
            tools=self.patterns,
            definition=self.definition if self.definition.strip() else None,
            sources=tuple(source_ref(source) for source in self.sources),
            set_aside=tuple(sentence for sentence in self.set_aside if sentence in lines),
        )

    def replaced(self, number: int, sentence: str) -> DraftForm:
        """With another sentence on the place of one, counted from 0."""
        lines = [*self.lines]
        if number < len(lines):
            lines[number] = sentence
        return replace(self, sentences="\n".join(lines))


def read_form(form: Form, policy_id: str | None = None) -> DraftForm:
    """What was posted; for a policy that exists its id is the address's."""
    return DraftForm(
        policy_id=form.text("policy_id") if policy_id is None else policy_id,
        description=" ".join(form.text("description").split()),
        tools=form.text("tools"),
        sentences=form.text("sentences") or "\n".join(form.texts("sentence")),
        definition=form.raw("definition").replace("\r\n", "\n").rstrip(),
        sources=tuple(dict.fromkeys(form.texts("source")))[:MOST_SOURCES],
        set_aside=tuple(form.texts("kept_aside")),
    )


def form_of_starter(starter: Starter) -> DraftForm:
    """A starter to change."""
    policy = starter.policy
    return DraftForm(
        policy_id=policy.policy_id,
        description=policy.description,
        tools=", ".join(policy.tools),
        sentences="\n".join(policy.sentences),
        definition=starter.definition,
    )


def form_of_version(version: PolicyVersion, documents: Sequence[DocumentVersion]) -> DraftForm:
    """A version to change; `documents` are the versions of documents that it rests on."""
    document = version.document
    known = {each.document_version_id: each for each in documents}
    return DraftForm(
        policy_id=version.policy_id,
        description=document.description,
        tools=", ".join(document.tools),
        sentences="\n".join(" ".join(sentence.split()) for sentence in document.sentences),
        definition=document.definition,
        sources=tuple(
            f"{source.document_id}@{known[source.version_id].version}"
            for source in document.sources
            if source.version_id in known
        ),
        set_aside=document.set_aside,
    )


def source_ref(text: str) -> SourceRef:
    """The document that "id@version" names."""
    found = _SOURCE.fullmatch(text)
    if found is None:
        raise Invalid("There is no such document.", path="source")
    return SourceRef(found[1], int(found[2]))
