"""`POST /policies/understand`."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter
from starlette.responses import Response

from ledgix.formats.json import Json, JsonObject
from ledgix_vault.errors import Invalid
from ledgix_vault.operations.understand_sentences import Question, understand_sentences
from ledgix_vault.web.api.context import AKnock, TheVault, exact_json
from ledgix_vault.web.api.shapes import answers, body

router = APIRouter(tags=["Policies"])
MOST_SENTENCES = 100
MOST_TOOLS = 500
LONGEST = 2000


@router.post(
    "/policies/understand",
    **answers("Understandings", 422),
    openapi_extra=body("UnderstandRequest", idempotent=False),
)
async def post_understand(vault: TheVault, asked: AKnock) -> Response:
    """What plain sentences would become: rules, assumptions, and examples at the edge that the rules decided.

    A sentence that is not understood comes back with the reason and with sentences close to it that would be. Nothing
    is recorded.
    """
    found = await asyncio.to_thread(understand_sentences, vault, asked.caller, _question(asked.json()))
    shown: list[Json] = [each.to_json() for each in found]
    return exact_json({"understandings": shown})


def _question(content: JsonObject) -> Question:
    facts = content.get("facts", {})
    if not isinstance(facts, dict):
        raise Invalid("must be an object: each fact with its type, like a JSON Schema's properties", path="$.facts")
    return Question(_strings(content, "sentences", MOST_SENTENCES), _strings(content, "tools", MOST_TOOLS), facts)


def _strings(content: JsonObject, name: str, most: int) -> tuple[str, ...]:
    value = content.get(name)
    if not isinstance(value, list) or len(value) > most:
        raise Invalid(f"is required: a list of at most {most} strings", path=f"$.{name}")
    found = []
    for i, item in enumerate(value):
        if not isinstance(item, str) or len(item) > LONGEST:
            raise Invalid(f"must be a string of at most {LONGEST} characters", path=f"$.{name}[{i}]")
        found.append(item)
    return tuple(found)
