"""Fetching pages from Confluence by its REST API, version 2 (`/api/v2`), as a tenant's user with an API token.

- One deadline for all of it; a bound on pages and on bytes. No redirect is followed.
- The next page of a list is taken from the same place only, whatever the answer says.
- What goes wrong is told with what a person can do about it; the token is in no message.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urljoin

import httpx2

from ledgix.errors import JsonError
from ledgix.formats import json
from ledgix.formats.json import JsonObject
from ledgix_vault.documents.limits import LARGEST_FILE
from ledgix_vault.errors import Busy, Invalid, NotFound, Unavailable
from ledgix_vault.outbound.guard import Trust, guarded_client

DEADLINE = 120.0
ANSWER_SECONDS = 20.0
MOST_PAGES = 200
PAGES_AT_ONCE = 50
DEEPEST_ANSWER = 32
LONGEST_WAIT = 3600
PAGE_ID = frozenset("0123456789")


@dataclass(frozen=True, slots=True)
class ConfluenceAccess:
    """Where a tenant's Confluence is (with `/wiki` if it has that), and as whom to ask. The token shows nowhere."""

    base_url: str
    email: str
    token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Page:
    """A page as fetched. `body` is in storage format."""

    page_id: str
    title: str
    revision: int
    body: str


class Confluence:
    """A tenant's Confluence, for the time of one import. Use as `async with`."""

    def __init__(self, access: ConfluenceAccess, *, allow_private: bool) -> None:
        self._root = access.base_url.rstrip("/") + "/"
        self._http = guarded_client(
            Trust(anywhere=allow_private),
            ANSWER_SECONDS,
            auth=(access.email, access.token),
            headers={"Accept": "application/json"},
        )

    async def __aenter__(self) -> Confluence:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    async def page(self, page_id: str) -> Page:
        """One page."""
        return _page(await self._get(f"api/v2/pages/{page_id}?body-format=storage"))

    async def pages_of_space(self, space_key: str) -> AsyncIterator[Page]:
        """All current pages of a space, at most 200; raises `Invalid` when there are more."""
        query = httpx2.QueryParams({"keys": space_key, "limit": "1"})
        spaces = _results(await self._get(f"api/v2/spaces?{query}"))
        if not spaces:
            raise NotFound(f"Confluence has no space {space_key!r} for this user.", code="confluence_not_found")
        place = f"api/v2/spaces/{_text(spaces[0], 'id')}/pages?body-format=storage&status=current&limit={PAGES_AT_ONCE}"
        seen, count = set(), 0
        while place and place not in seen:
            seen.add(place)
            answer = await self._get(place)
            for found in _results(answer):
                count += 1
                if count > MOST_PAGES:
                    raise Invalid(
                        f"The space has more than {MOST_PAGES} pages; import the ones that matter by their id.",
                        path="$.space_key",
                    )
                yield _page(found)
            place = _next_place(answer)

    async def _get(self, place: str) -> JsonObject:
        url = urljoin(self._root, place)
        if httpx2.URL(url).host != httpx2.URL(self._root).host or not url.startswith(_origin(self._root)):
            raise Unavailable("Confluence points to another server for its next page.", code="confluence_unavailable")
        try:
            async with self._http.stream("GET", url) as response:
                _check_status(response)
                return json.parse_object(await _body(response), max_depth=DEEPEST_ANSWER)
        except httpx2.HTTPError as error:
            raise Unavailable(
                f"Confluence can't be reached: {type(error).__name__}.", code="confluence_unavailable", retry_after=30
            ) from error
        except JsonError as error:
            raise Unavailable("Confluence answered something else than JSON.", code="confluence_unavailable") from error


async def fetch_pages(
    access: ConfluenceAccess, *, page_id: str | None, space_key: str | None, allow_private: bool
) -> list[Page]:
    """The page, or all pages of the space; all of them or an error."""
    try:
        async with asyncio.timeout(DEADLINE), Confluence(access, allow_private=allow_private) as confluence:
            if page_id is not None:
                return [await confluence.page(page_id)]
            assert space_key is not None
            return [page async for page in confluence.pages_of_space(space_key)]
    except TimeoutError:
        raise Unavailable(
            "Confluence took too long; nothing was imported.", code="confluence_unavailable", retry_after=30
        ) from None


def _check_status(response: httpx2.Response) -> None:
    match response.status_code:
        case 200:
            return
        case 401 | 403:
            raise Invalid(
                "Confluence refuses this user and token. Check both, and that the user may read the page.",
                code="confluence_refused",
            )
        case 404:
            raise NotFound("Confluence knows no such page, or this user may not read it.", code="confluence_not_found")
        case 429:
            stated = response.headers.get("retry-after", "")
            wait = min(int(stated), LONGEST_WAIT) if stated.isdecimal() and stated.isascii() else 60
            raise Busy(wait, "Confluence asks to wait; nothing was imported.", code="confluence_busy")
        case status if 300 <= status < 400:
            raise Invalid(
                "Confluence redirects to another address; set that one as base_url.", path="$.base_url",
                code="confluence_moved",
            )  # fmt: skip
        case status:
            raise Unavailable(f"Confluence answered {status}.", code="confluence_unavailable", retry_after=30)


async def _body(response: httpx2.Response) -> bytes:
    parts, length = [], 0
    async for chunk in response.aiter_bytes():
        parts.append(chunk)
        length += len(chunk)
        if length > LARGEST_FILE:
            raise Unavailable("Confluence answers more than is read.", code="confluence_unavailable")
    return b"".join(parts)


def _page(found: JsonObject) -> Page:
    body, version = found.get("body"), found.get("version")
    storage = body.get("storage") if isinstance(body, dict) else None
    number = version.get("number") if isinstance(version, dict) else None
    if not isinstance(storage, dict) or not isinstance(number, int):
        raise _strange("a page without its body or version")
    return Page(_text(found, "id"), _text(found, "title"), number, _text(storage, "value"))


def _results(answer: JsonObject) -> list[JsonObject]:
    found = answer.get("results")
    if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
        raise _strange("a list without results")
    results: list[Any] = found
    return results


def _next_place(answer: JsonObject) -> str:
    links = answer.get("_links")
    place = links.get("next", "") if isinstance(links, dict) else ""
    return place if isinstance(place, str) else ""


def _text(found: JsonObject, name: str) -> str:
    value = found.get(name)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str):
        raise _strange(f"no {name}")
    return value


def _strange(what: str) -> Unavailable:
    return Unavailable(f"Confluence answered in another form than its API has: {what}.", code="confluence_unavailable")


def _origin(url: str) -> str:
    parsed = httpx2.URL(url)
    return f"{parsed.scheme}://{parsed.netloc.decode()}/"
