"""The protocol of Anthropic: `POST {base_url}/v1/messages`, where the answer is the input of a tool it has to use."""

from __future__ import annotations

from ledgix.formats.json import Json, JsonObject
from ledgix_vault.judge.answers import OddAnswer
from ledgix_vault.judge.prompts import Prompt

PATH = "/v1/messages"
VERSION = "2023-06-01"
MOST_TOKENS = 2048


def headers(api_key: str) -> dict[str, str]:
    """The key, and the version of the protocol."""
    return {"x-api-key": api_key, "anthropic-version": VERSION}


def body(model: str, prompt: Prompt) -> JsonObject:
    """The request; the model must use the one tool, once."""
    return {
        "model": model,
        "max_tokens": MOST_TOKENS,
        "system": prompt.system,
        "messages": [{"role": "user", "content": prompt.user}],
        "tools": [{"name": prompt.name, "description": "Record your answer.", "input_schema": prompt.schema}],
        "tool_choice": {"type": "tool", "name": prompt.name, "disable_parallel_tool_use": True},
    }


def content(answer: JsonObject, prompt: Prompt) -> JsonObject:
    """The tool's input; raises `OddAnswer` unless using it is all that the model did."""
    if answer.get("type") != "message" or answer.get("role") != "assistant":
        raise OddAnswer("gave an answer of another form than the protocol's")
    if answer.get("stop_reason") == "refusal":
        raise OddAnswer("refused to answer")
    if answer.get("stop_reason") != "tool_use":
        raise OddAnswer("didn't finish its answer")
    blocks = answer.get("content")
    block: Json = blocks[0] if isinstance(blocks, list) and len(blocks) == 1 else None
    if not isinstance(block, dict) or block.get("type") != "tool_use" or block.get("name") != prompt.name:
        raise OddAnswer("said more, or something else, than it was asked for")
    said = block.get("input")
    if not isinstance(said, dict):
        raise OddAnswer("gave an answer of another form than the protocol's")
    return said
