"""From the text of a YAML or TOML file to its top section. Both have the same shape.

YAML's surprises are refused or switched off: duplicate keys, aliases and tags are errors, and only what YAML 1.2 calls
a number, true, false or null is one (`no`, `on`, `010` and `2026-01-01` are text).
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

import yaml

from ledgix_gateway.config.section import Origin, Section
from ledgix_gateway.errors import ConfigError


def read_document(path: Path, environment: Mapping[str, str] | None = None) -> Section:
    """The top section of the file; secrets are looked up in `environment`, by default that of the process."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(str(path), f"can't be read: {error}") from None
    origin = Origin(path.parent, os.environ if environment is None else environment)
    return parse_document(text, path.suffix, origin, name=path.name)


def parse_document(text: str, suffix: str, origin: Origin, *, name: str = "configuration") -> Section:
    """Like `read_document`, from text; `suffix` is `.yaml`, `.yml`, `.json` or `.toml`."""
    match suffix:
        case ".yaml" | ".yml" | ".json":
            value = _yaml(text, name)
        case ".toml":
            value = _toml(text, name)
        case _:
            raise ConfigError(name, "must be a .yaml, .yml, .json or .toml file")
    if not isinstance(value, dict):
        raise ConfigError(name, "must hold sections by name, such as `vault:`")
    return Section(value, "", origin, name=name)


def _toml(text: str, name: str) -> object:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(name, f"is no TOML: {error}") from None


def _yaml(text: str, name: str) -> object:
    try:
        return yaml.load(text, _Loader)  # noqa: S506 - a SafeLoader that knows fewer types
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f"{name}, line {mark.line + 1}, column {mark.column + 1}" if mark else name
        raise ConfigError(where, f"is no YAML that can be used: {error.problem}") from None
    except yaml.YAMLError as error:
        raise ConfigError(name, f"is no YAML: {error}") from None


class _Loader(yaml.SafeLoader):
    """YAML 1.2's core types and nothing else."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - the library's own name

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            mark = self.get_mark()
            raise yaml.MarkedYAMLError(problem="an alias; write the value out", problem_mark=mark)
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.MarkedYAMLError(problem="a name must be text", problem_mark=key.start_mark)
            if key.value in seen:
                raise yaml.MarkedYAMLError(problem=f"{key.value!r} stands twice", problem_mark=key.start_mark)
            seen.add(key.value)
            key.tag = "tag:yaml.org,2002:str"
        return super().construct_mapping(node, deep=deep)


for _tag, _pattern, _first in (
    ("bool", r"^(?:true|false)$", "tf"),
    ("int", r"^-?(?:0|[1-9][0-9]*)$", "-0123456789"),
    ("float", r"^-?(?:0|[1-9][0-9]*)\.[0-9]+$", "-0123456789"),
    ("null", r"^(?:null|~|)$", ["n", "~", ""]),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(_pattern), list(_first))
