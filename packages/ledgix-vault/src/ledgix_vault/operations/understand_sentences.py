"""What the Vault would make of sentences: nothing is recorded, and nothing changes."""

from __future__ import annotations

from dataclasses import dataclass

from ledgix.formats.json import JsonObject
from ledgix_vault.errors import PolicyInvalid
from ledgix_vault.policy.english import Understanding, declared_facts, understand
from ledgix_vault.policy.errors import PolicyError
from ledgix_vault.policy.model import PolicyDocument
from ledgix_vault.tenancy.callers import Caller, require_reading_policies
from ledgix_vault.tenancy.scopes import Scope
from ledgix_vault.vault import Vault


@dataclass(frozen=True, slots=True)
class Question:
    """Sentences, the tools that they are about, and the facts that may be named by words alone."""

    sentences: tuple[str, ...]
    tools: tuple[str, ...]
    facts: JsonObject


def understand_sentences(vault: Vault, caller: Caller, question: Question) -> list[Understanding]:
    """One understanding for each sentence, in order, against the tenant's registered tool schemas.

    Raises `PolicyInvalid` for a fact whose declaration isn't understood.
    """
    caller.require(Scope.POLICY)
    schemas = vault.store.tenant(caller.tenant_id).snapshot.schemas
    try:
        facts = declared_facts(question.facts)
    except PolicyError as error:
        problems = [problem.to_json() for problem in error.problems]
        raise PolicyInvalid(str(error), path="$.facts", problems=problems) from error
    return understand(question.sentences, question.tools, schemas, facts)


def understand_document(vault: Vault, caller: Caller, document: PolicyDocument) -> list[Understanding]:
    """The same for the sentences of a policy that no rule stands for."""
    require_reading_policies(caller)
    schemas = vault.store.tenant(caller.tenant_id).snapshot.schemas
    return understand(document.uncompiled, document.tools, schemas, declared_facts({}))
