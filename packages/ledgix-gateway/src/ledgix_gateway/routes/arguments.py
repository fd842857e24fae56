"""The arguments of a call, from everything that reaches the tool as input.

Invariants:

- Query names that the route doesn't list are refused; so are bodies that it doesn't take.
- An argument comes from one place; a second one is refused, equal or not.
- The body is read as the bytes that are forwarded: no other charset, no content encoding, no second content type.

Not arguments: headers that the route doesn't name. They are forwarded as they are, and no token speaks about them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, assert_never

from ledgix.errors import JsonError
from ledgix.formats import json
from ledgix.formats.json import Json, JsonObject
from ledgix_gateway.codes import Code, refusal
from ledgix_gateway.inbound import Inbound
from ledgix_gateway.routes.digest import content_digest
from ledgix_gateway.routes.route import CONTENT_DIGEST, Body, Route
from ledgix_gateway.routes.table import Match
from ledgix_gateway.routes.texts import argument_of, pairs_of

JSON_TYPE: Final = "application/json"
FORM_TYPE: Final = "application/x-www-form-urlencoded"
_CHARSET: Final = re.compile(r'\s*;\s*charset\s*=\s*(?:"utf-8"|utf-8)\s*', re.IGNORECASE)


def arguments_of(match: Match, inbound: Inbound) -> JsonObject:
    """The exact arguments; raises Refusal for whatever has two readings. Of a streamed body, its digest stands here."""
    refuse_unfit_body(match.route, inbound)
    route = match.route
    found: JsonObject = {}
    for name, text in match.path_values.items():
        _add(found, name, argument_of(name, [text], route.type_of(name), Code.PATH_AMBIGUOUS))
    for source in (_from_query(route, inbound), _from_headers(route, inbound), _from_body(route, inbound)):
        for name, value in source.items():
            _add(found, name, value)
    return found


def refuse_unfit_body(route: Route, inbound: Inbound) -> None:
    """What can be said before the body is read: whether the route takes one of this type and encoding."""
    if inbound.values("content-encoding"):
        raise refusal(Code.CONTENT_ENCODED, "Send the body as it is, without Content-Encoding.")
    match route.body:
        case Body.NONE:
            if inbound.announces_body:
                raise refusal(Code.BODY_UNEXPECTED, "This route takes no body.")
        case Body.JSON:
            _refuse_other_type(inbound, JSON_TYPE)
        case Body.FORM:
            _refuse_other_type(inbound, FORM_TYPE)
        case Body.DIGEST:
            content_digest(inbound)
        case _:
            assert_never(route.body)


def _refuse_other_type(inbound: Inbound, wanted: str) -> None:
    said = inbound.text("content-type") or ""
    name, semicolon, _ = said.partition(";")
    if name.strip().lower() != wanted or (semicolon and not _CHARSET.fullmatch(said[len(name) :])):
        raise refusal(Code.CONTENT_TYPE, f"This route takes {wanted} in UTF-8 only.")


def _from_query(route: Route, inbound: Inbound) -> Mapping[str, Json]:
    given = pairs_of(inbound.query, Code.QUERY_AMBIGUOUS)
    named = {wire: argument for argument, wire in route.query.items()}
    found: dict[str, Json] = {}
    for wire, texts in given.items():
        argument = named.get(wire)
        if argument is None:
            raise refusal(Code.QUERY_UNMAPPED, f"This route takes no query parameter {wire!r:.80}.")
        found[argument] = argument_of(wire, texts, route.type_of(argument), Code.QUERY_AMBIGUOUS)
    return found


def _from_headers(route: Route, inbound: Inbound) -> Mapping[str, Json]:
    given = {argument: inbound.text(header) for argument, header in route.headers.items()}
    return {
        argument: argument_of(argument, [text], route.type_of(argument), Code.HEAD_AMBIGUOUS)
        for argument, text in given.items()
        if text is not None
    }


def _from_body(route: Route, inbound: Inbound) -> Mapping[str, Json]:
    match route.body:
        case Body.NONE:
            if inbound.body:
                raise refusal(Code.BODY_UNEXPECTED, "This route takes no body.")
            return {}
        case Body.JSON:
            return _members(inbound.body)
        case Body.FORM:
            pairs = pairs_of(inbound.body, Code.BODY_INVALID)
            return {
                name: argument_of(name, texts, route.type_of(name), Code.BODY_INVALID) for name, texts in pairs.items()
            }
        case Body.DIGEST:
            return {CONTENT_DIGEST: content_digest(inbound)}
        case _:
            assert_never(route.body)


def _members(body: bytes) -> JsonObject:
    try:
        return json.parse_object(body)
    except JsonError as error:
        raise refusal(Code.BODY_INVALID, f"The body must be one JSON object, read strictly: {error}") from None


def _add(found: JsonObject, name: str, value: Json) -> None:
    if name in found:
        raise refusal(Code.ARGUMENTS_AMBIGUOUS, f"The argument {name!r:.80} comes from two places.")
    found[name] = value
