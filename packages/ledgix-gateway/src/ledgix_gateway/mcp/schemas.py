"""What tools take, registered in the Vault as the server lists it, so that rules can be typed against it.

Invariants:

- Only what is new or has changed since it was last registered by this process is sent; the Vault itself records nothing
  for a schema that it has already.
- What was declared about money beside a tool stays in force (docs/tool-schemas.md).
- A schema that can't be registered is said in the log. Calls are cleared all the same, against what the Vault knows.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Final

import anyio

from ledgix.client import AsyncLedgix
from ledgix.errors import FormatError, LedgixError
from ledgix.formats import jcs
from ledgix.formats import json as exact
from ledgix.formats.json import JsonObject

_PATIENCE: Final = 10.0
"""Seconds that a list of tools may be delayed, so that rules know the arguments of the first call."""

logger: Final = logging.getLogger(__name__)


class Schemas:
    """Shared by all sessions. A schema is known by its hash once the Vault has it."""

    def __init__(self, client: AsyncLedgix, prefix: str) -> None:
        self._client = client
        self._prefix = prefix
        self._registered: dict[str, str] = {}

    async def register(self, tools_list: Mapping[str, Any]) -> None:
        """Registers the tools of an answer to `tools/list`; returns when the Vault has them, or refused or is away."""
        tools = tools_list.get("tools")
        with anyio.move_on_after(_PATIENCE) as scope:
            for tool in tools if isinstance(tools, list) else []:
                await self._register(tool)
        if scope.cancelled_caught:
            logger.error("the Vault took longer than %g s to register tool schemas; the rest was left out", _PATIENCE)

    async def _register(self, tool: object) -> None:
        try:
            listed = self._listed(tool)
            name, state = str(listed["name"]), jcs.sha256_hex(listed)
            if self._registered.get(name) == state:
                return
            if name in self._registered:
                logger.warning("tool %s: the server changed what it takes", name)
            await self._client.import_tool_schemas({"tools": [listed]})
        except LedgixError as error:
            logger.error("a tool schema was not registered: %s", error)
        else:
            self._registered[name] = state

    def _listed(self, tool: object) -> JsonObject:
        """The tool under its name in the Vault, with what decides about its arguments and nothing else."""
        if not isinstance(tool, dict) or not isinstance(tool.get("name"), str):
            raise FormatError("the server lists a tool without a name")
        value = exact.from_python({"name": self._prefix + tool["name"], "inputSchema": tool.get("inputSchema", {})})
        assert isinstance(value, dict)
        return value
