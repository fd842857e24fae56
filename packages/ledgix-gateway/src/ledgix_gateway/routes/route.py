"""One route: which requests are calls of which tool, and where the arguments stand. Frozen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from ledgix_gateway.routes.template import Template


class Body(StrEnum):
    """What the body is."""

    JSON = "json"  # an object; its members are arguments
    FORM = "form"  # application/x-www-form-urlencoded; its fields are arguments
    NONE = "none"  # any body is refused
    DIGEST = "digest"  # streamed; the argument `content_digest` names its bytes


class Type(StrEnum):
    """How the text of an argument from path, query, form or header is read."""

    STRING = "string"
    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"
    LIST = "list"  # of strings; only these may be repeated


class Mode(StrEnum):
    """What happens to a call without an approval."""

    ENFORCE = "enforce"  # it is refused
    OBSERVE = "observe"  # it goes through, and what would have been refused is recorded
    ASK = "ask"  # the gateway asks for clearance itself


CONTENT_DIGEST = "content_digest"


@dataclass(frozen=True, slots=True)
class Route:
    """`query` and `headers` map names of arguments to names on the wire. `tool` is `""` on an open route."""

    method: str
    template: Template
    upstream: str
    tool: str = ""
    mode: Mode = Mode.ENFORCE
    body: Body = Body.JSON
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    types: Mapping[str, Type] = field(default_factory=dict)
    agent_header: str = ""  # whose value must be the token's agent; "" if any agent's token is good
    open: bool = False  # let through without a token
    websocket: bool = False

    @property
    def label(self) -> str:
        """Like `POST /v1/charges/{charge_id}/refunds`, for people, logs and metrics."""
        return f"{self.method} {self.template.text}"

    def type_of(self, argument: str) -> Type:
        """How this argument's text is read."""
        return self.types.get(argument, Type.STRING)
