"""The protocol of OpenAI-compatible servers: `POST {base_url}/chat/completions` with a strict JSON schema."""

from __future__ import annotations

from ledgix.formats.json import Json, JsonObject
from ledgix_vault.judge.answers import OddAnswer
from ledgix_vault.judge.prompts import Prompt

PATH = "/chat/completions"


def headers(api_key: str) -> dict[str, str]:
    """A server without keys gets no header."""
    return {"Authorization": f"Bearer {api_key}"} if api_key else {}


def body(model: str, prompt: Prompt) -> JsonObject:
    """The request. Nothing is said about sampling: some models refuse it, and agreement needs no fixed seed."""
    return {
        "model": model,
        "messages": [{"role": "system", "content": prompt.system}, {"role": "user", "content": prompt.user}],
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": prompt.name, "strict": True, "schema": prompt.schema},
        },
    }


def content(answer: JsonObject, prompt: Prompt) -> str:
    """What the model said, as text; raises `OddAnswer` unless it finished and said nothing else."""
    choices = answer.get("choices")
    choice: Json = choices[0] if isinstance(choices, list) and len(choices) == 1 else None
    message: Json = choice.get("message") if isinstance(choice, dict) else None
    if not isinstance(choice, dict) or not isinstance(message, dict):
        raise OddAnswer("gave an answer of another form than the protocol's")
    if message.get("refusal"):
        raise OddAnswer("refused to answer")
    if choice.get("finish_reason") != "stop" or message.get("tool_calls"):
        raise OddAnswer("didn't finish its answer")
    said = message.get("content")
    if message.get("role") != "assistant" or not isinstance(said, str):
        raise OddAnswer("gave an answer of another form than the protocol's")
    return said
