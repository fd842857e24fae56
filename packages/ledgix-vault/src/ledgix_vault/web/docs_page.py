"""The page at /docs: every endpoint in words, made from the OpenAPI description. No script, nothing fetched."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from html import escape
from pathlib import Path
from typing import Any

from ledgix_vault.web.docs_examples import BODIES, PARAMETERS

Schema = dict[str, Any]
STYLE = (Path(__file__).parent / "docs.css").read_text("utf-8")
_STYLE_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
CONTENT_SECURITY_POLICY = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_URL = '"$LEDGIX_VAULT_URL'
_SECTIONS = ("Clearance", "Policies", "Documents", "Reviews", "Suspensions", "Ledger", "Open")
_REFERENCE = "#/components/schemas/"


def render_docs(document: dict[str, Any]) -> str:
    """The whole page."""
    operations = list(_operations(document))
    known: dict[str, Schema] = document["components"]["schemas"]
    title = escape(f"{document['info']['title']} API")
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<title>{title}</title><style>{STYLE}</style></head><body><div class="page">'
        f"{_contents(operations)}<main><h1>{title}</h1>"
        f'<div class="version">Version {escape(document["info"]["version"])} ·'
        ' <a href="/openapi.json">OpenAPI 3.1 description</a></div>'
        f'<p class="lead">{_prose(document["info"]["description"])}</p>{_INTRODUCTION}'
        f"{''.join(_section(name, operations, known) for name in _sections(operations))}"
        f'<h2 id="objects">Objects</h2>{"".join(_object(name, known) for name in sorted(known))}'
        "</main></div></body></html>"
    )


class _Operation:
    """One endpoint of the description."""

    def __init__(self, path: str, method: str, described: dict[str, Any]) -> None:
        self.path, self.method, self.described = path, method, described
        self.anchor = re.sub(r"[^a-z0-9]+", "-", f"{method} {path}".lower()).strip("-")
        self.section = described["tags"][0]
        self.parameters: list[dict[str, Any]] = described.get("parameters", [])
        body = described.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
        self.body: str = body.get("$ref", "").removeprefix(_REFERENCE)

    @property
    def needs_key(self) -> bool:
        return "401" in self.described["responses"]


def _operations(document: dict[str, Any]) -> Iterator[_Operation]:
    for path, methods in document["paths"].items():
        for method, described in methods.items():
            yield _Operation(path, method, described)


def _sections(operations: Iterable[_Operation]) -> list[str]:
    found = {operation.section for operation in operations}
    return [*(name for name in _SECTIONS if name in found), *sorted(found - set(_SECTIONS))]


def _contents(operations: list[_Operation]) -> str:
    parts = ['<h2>Start</h2><ul><li><a href="#start">Keys, retries, errors</a></li></ul>']
    for name in _sections(operations):
        items = "".join(
            f'<li><a href="#{operation.anchor}">{_method(operation)} {escape(operation.path)}</a></li>'
            for operation in operations
            if operation.section == name
        )
        parts.append(f"<h2>{escape(name)}</h2><ul>{items}</ul>")
    parts.append('<h2>Reference</h2><ul><li><a href="#objects">Objects</a></li></ul>')
    return f'<nav aria-label="Contents">{"".join(parts)}</nav>'


def _section(name: str, operations: list[_Operation], known: dict[str, Schema]) -> str:
    articles = "".join(_article(operation, known) for operation in operations if operation.section == name)
    return f"<h2>{escape(name)}</h2>{articles}"


def _article(operation: _Operation, known: dict[str, Schema]) -> str:
    who = "" if operation.needs_key else '<p class="who">Open: no API key needed.</p>'
    return (
        f'<article id="{operation.anchor}"><h3>{_method(operation)}'
        f" <code>{escape(operation.path)}</code></h3>"
        f"<p>{_prose(operation.described.get('description', ''))}</p>{who}"
        f"<h4>Example</h4><pre tabindex=0><code>{escape(_curl(operation))}</code></pre>"
        f"{_parameters(operation)}{_body(operation, known)}{_answers(operation, known)}</article>"
    )


def _method(operation: _Operation) -> str:
    return f'<span class="method {operation.method}">{operation.method.upper()}</span>'


def _curl(operation: _Operation) -> str:
    path, query = operation.path, []
    for parameter in operation.parameters:
        name, value = parameter["name"], PARAMETERS.get(parameter["name"])
        if parameter["in"] == "path":
            path = path.replace(f"{{{name}}}", value or name.upper())
        elif parameter["in"] == "query" and value is not None:
            query.append(f"{name}={value}")
    address = path + (f"?{'&'.join(query)}" if query else "")
    lines = [f'curl {"" if operation.method == "get" else f"-X {operation.method.upper()} "}{_URL}{address}"']
    if operation.needs_key:
        lines.append('-H "X-Vault-API-Key: $LEDGIX_VAULT_API_KEY"')
    if any(parameter["name"] == "Idempotency-Key" for parameter in operation.parameters):
        lines.append('-H "Idempotency-Key: $(uuidgen)"')
    if operation.body:
        lines += ["-H 'Content-Type: application/json'", f"-d '{_example(operation.body)}'"]
    return " \\\n  ".join(lines)


def _example(body: str) -> str:
    return json.dumps(BODIES.get(body, {}), ensure_ascii=False).replace("'", "'\\''")


def _parameters(operation: _Operation) -> str:
    rows = [
        (
            parameter["name"],
            parameter.get("required", False),
            f"{_type(parameter['schema'])} · {escape(parameter['in'])}",
            _prose(parameter.get("description") or parameter["schema"].get("description", "")),
        )
        for parameter in operation.parameters
    ]
    return _table("Parameters", rows)


def _body(operation: _Operation, known: dict[str, Schema]) -> str:
    if not operation.body:
        return ""
    schema = known[operation.body]
    note = _prose(schema.get("description", ""))
    return (f"<h4>Body</h4><p>{note}</p>" if note else "") + _table("Body fields", _fields(schema))


def _answers(operation: _Operation, known: dict[str, Schema]) -> str:
    rows: list[_Row] = []
    details = ""
    for status, answer in operation.described["responses"].items():
        content = next(iter(answer["content"].values()))["schema"]
        rows.append((status, False, _type(content), escape(answer["description"])))
        name = content.get("$ref", "").removeprefix(_REFERENCE)
        if status == "200" and name in known and known[name].get("properties"):
            fields = _table("", _fields(known[name]))
            details = f"<details><summary>Fields of {escape(name)}</summary>{fields}</details>"
    return _table("Answers", rows) + details


def _object(name: str, known: dict[str, Schema]) -> str:
    schema = known[name]
    fields = _table("", _fields(schema)) or "<p>Any JSON object.</p>"
    return (
        f'<article id="object-{escape(name)}"><h3>{escape(name)}</h3>'
        f"<p>{_prose(schema.get('description', ''))}</p>{fields}</article>"
    )


_Row = tuple[str, bool, str, str]


def _fields(schema: Schema) -> list[_Row]:
    required = schema.get("required", [])
    return [
        (name, name in required, _type(field), _prose(field.get("description", "")) + _limits(field))
        for name, field in schema.get("properties", {}).items()
    ]


def _table(heading: str, rows: list[_Row]) -> str:
    """Name, type and meaning; both latter are HTML already."""
    if not rows:
        return ""
    lines = "".join(
        f"<tr><td><code>{escape(name)}</code>{' <span class=needed>required</span>' if needed else ''}</td>"
        f'<td class="type">{kind}</td><td>{meaning}</td></tr>'
        for name, needed, kind, meaning in rows
    )
    title = f"<h4>{escape(heading)}</h4>" if heading else ""
    return f'{title}<div class="wide"><table>{lines}</table></div>'


def _type(schema: Schema) -> str:
    """The type of a value in words, with links to objects; HTML."""
    if "$ref" in schema:
        name = escape(schema["$ref"].removeprefix(_REFERENCE))
        return f'<a href="#object-{name}">{name}</a>'
    if "anyOf" in schema:
        return " or ".join(_type(choice) for choice in schema["anyOf"])
    if "enum" in schema:
        return " | ".join(f"<code>{escape(str(value))}</code>" for value in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    return escape(schema.get("format") or schema.get("type") or "any")


def _limits(schema: Schema) -> str:
    found = []
    if "default" in schema:
        found.append(f"default <code>{escape(json.dumps(schema['default']))}</code>")
    lengths = [schema.get(name) for name in ("minLength", "maxLength")]
    if any(length is not None for length in lengths):
        found.append(f"{lengths[0] or 0} to {lengths[1]} characters" if lengths[1] else f"from {lengths[0]} characters")
    if "minimum" in schema or "maximum" in schema:
        found.append(f"{schema.get('minimum', '')} to {schema.get('maximum', '')}")
    return f' <span class="type">({", ".join(found)})</span>' if found else ""


def _prose(text: str) -> str:
    """Text with `code`; HTML."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text, quote=False))


_INTRODUCTION = """\
<article id="start"><h3>Keys, retries, errors</h3>
<p>Send your API key in the header <code>X-Vault-API-Key</code>. A key has scopes: an agent's key may ask for clearance,
a gateway's may consume tokens, a reviewer's may decide. A missing scope is a 403 that names it.</p>
<p>Every POST takes an <code>Idempotency-Key</code>: use one key for all retries of one request, and the answer is the
same, with <code>Idempotency-Replayed: true</code>, and nothing happens twice. With another body that key is a 422.</p>
<p>Errors are <code>application/problem+json</code> (RFC 9457) with a stable <code>code</code>. Ask again after the
seconds of <code>Retry-After</code> on 429 and 503. Bodies are strict JSON: at most 256 KiB, no member name twice, no
numbers that a double can't hold.</p>
<h4>Set once for the examples below</h4>
<pre tabindex=0><code>export LEDGIX_VAULT_URL=http://127.0.0.1:8000
export LEDGIX_VAULT_API_KEY=lgx_…</code></pre></article>"""
