"""Who is at the dashboard's door: the session behind the cookie, and the form that they sent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urlencode

from fastapi import Depends, Request
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response
from starlette.types import Message

from ledgix_vault.errors import Invalid, TooLarge
from ledgix_vault.operations.follow_events import position_now
from ledgix_vault.operations.read_review import count_reviews
from ledgix_vault.operations.use_session import SignedInSession, session_holds, use_session
from ledgix_vault.tenancy.ceremonies import LIFETIMES, CeremonyKind
from ledgix_vault.tenancy.people import Assurance, Member
from ledgix_vault.tenancy.sessions import LIFETIME
from ledgix_vault.times import MICROSECONDS
from ledgix_vault.vault import Vault
from ledgix_vault.web.api.context import TheVault
from ledgix_vault.web.doors import seconds_for

COOKIE = "__Host-ledgix"
"""Set by this host alone, for all of it, over TLS or on this very machine (RFC 6265bis, 4.1.3.2)."""
HALF = "__Host-ledgix-half"
"""What a right password alone gives: it lets somebody show a second factor."""
AWAY = "__Host-ledgix-away"
"""Which sign-in of this browser is away at a provider."""
NEEDS_SCRIPT = "Passkeys need JavaScript, and a browser that knows them."
REFRESH = "x-ledgix-refresh"
"""Sent by the script when it fetches a page anew by itself."""
SIGN_IN = "/app/sign-in"
SECURITY = "/app/account/security"
WITHOUT_FACTOR = (SECURITY, "/app/sign-out", "/app/switch-tenant")
"""What opens before a second factor was added, where the tenant asks for one."""
LARGEST_FORM = 40 * 1024 * 1024
LARGEST_FORM_OF_STRANGERS = 64 * 1024
MOST_FIELDS = 2000


class SignInNeeded(Exception):
    """Nobody is signed in; `location` is the sign-in page that comes back here."""

    def __init__(self, location: str) -> None:
        super().__init__(location)
        self.location = location


@dataclass(frozen=True, slots=True)
class UploadedFile:
    """A file of a form. `name` is what its sender calls it."""

    name: str
    content: bytes


class Form:
    """The fields of a posted form: text as it was typed, absent fields as empty."""

    def __init__(self, fields: FormData) -> None:
        self._fields = fields

    def raw(self, name: str) -> str:
        """One field, untouched; "" when it is absent."""
        value = self._fields.get(name, "")
        return value if isinstance(value, str) else ""

    def text(self, name: str) -> str:
        """One field, trimmed, with the line ends of this machine; "" when it is absent."""
        return self.raw(name).replace("\r\n", "\n").strip()

    def texts(self, name: str) -> list[str]:
        """Every field of this name, trimmed, in order."""
        return [value.strip() for value in self._fields.getlist(name) if isinstance(value, str)]

    def flag(self, name: str) -> bool:
        """Whether a checkbox is ticked."""
        return name in self._fields

    def number(self, name: str, lowest: int, highest: int) -> int:
        """A whole number; `Invalid` names the field otherwise."""
        text = self.text(name)
        if not (text.isascii() and text.isdigit() and lowest <= int(text[:18]) <= highest):
            raise Invalid(f"must be a whole number from {lowest} to {highest}", path=name)
        return int(text)

    def names(self) -> list[str]:
        """The names of all fields, in order."""
        return [name for name, _ in self._fields.multi_items()]

    async def file(self, name: str) -> UploadedFile | None:
        """An uploaded file, or None when none was chosen."""
        value = self._fields.get(name)
        if not isinstance(value, UploadFile) or not value.filename:
            return None
        return UploadedFile(value.filename, await value.read())


async def the_session(request: Request, vault: TheVault) -> SignedInSession:
    """The session behind the cookie; raises `SignInNeeded`."""
    secret = request.cookies.get(COOKIE)
    # A page that keeps itself up to date is no sign that somebody is there.
    used = await use_session(vault, secret, seen=REFRESH not in request.headers) if secret else None
    if used is None:
        raise SignInNeeded(sign_in_location(request))
    request.state.session = used
    if lacks_factor(vault, used) and not _opens_without_factor(request.scope["path"]):
        raise SignInNeeded(SECURITY)
    request.state.position = position_now(vault, used.member.tenant_id)
    request.state.waiting = await count_reviews(vault, used.member)
    return used


def lacks_factor(vault: Vault, used: SignedInSession) -> bool:
    """Whether the tenant asks for a second factor that this session hasn't. Single sign-on is the provider's affair."""
    asks = vault.store.tenant(used.member.tenant_id).settings.require_second_factor
    return asks and used.member.assurance not in (Assurance.SECOND_FACTOR, Assurance.SINGLE_SIGN_ON)


def _opens_without_factor(path: str) -> bool:
    return any(path == page or path.startswith(f"{page}/") for page in WITHOUT_FACTOR)


def the_member(session: Annotated[SignedInSession, Depends(the_session)]) -> Member:
    """The signed-in person."""
    return session.member


async def the_form(request: Request, vault: TheVault) -> AsyncIterator[Form]:
    """The posted form; 413 and 422 like the API's. Its files are gone when the request is answered.

    Whoever was signed in when it began must still be when it has arrived: who was removed meanwhile finishes nothing.
    """
    used: SignedInSession | None = getattr(request.state, "session", None)
    fields = await _read_form(request, LARGEST_FORM if used is not None else LARGEST_FORM_OF_STRANGERS)
    try:
        if used is not None and not await session_holds(vault, request.cookies.get(COOKIE, ""), used.member):
            raise SignInNeeded(SIGN_IN)
        yield Form(fields)
    finally:
        await fields.close()


async def _read_form(request: Request, limit: int) -> FormData:
    length = 0

    async def receive() -> Message:
        nonlocal length
        message = await request.receive()
        length += len(message.get("body", b""))
        if length > limit:
            raise TooLarge(f"A form has at most {limit:,} bytes here.")
        return message

    try:
        async with asyncio.timeout(seconds_for(limit)):
            return await Request(request.scope, receive).form(
                max_files=20, max_fields=MOST_FIELDS, max_part_size=8 * 1024 * 1024
            )
    except HTTPException as error:
        raise Invalid(f"This form can't be read: {error.detail}") from error
    except TimeoutError as error:
        raise Invalid("This form didn't arrive in time.") from error


SignedInHere = Annotated[SignedInSession, Depends(the_session)]
SignedIn = Annotated[Member, Depends(the_member)]
TheForm = Annotated[Form, Depends(the_form)]


def sign_in_location(request: Request) -> str:
    """The sign-in page, that comes back to this one if it is one that can be opened."""
    path = request.scope["path"]
    if request.method != "GET" or path == "/app/":
        return SIGN_IN
    query = request.url.query
    return f"{SIGN_IN}?{urlencode({'next': f'{path}?{query}' if query else path})}"


def own_path(path: str) -> str:
    """The path if it is one of the dashboard's own, else its first page: nobody is sent elsewhere from here."""
    is_own = path.startswith("/app/") and "\\" not in path and path.isprintable() and "//" not in path.partition("?")[0]
    return path if is_own else "/app/"


def signed_in_answer(secret: str, location: str) -> Response:
    """To a page, with the cookie of a fresh session."""
    answer = RedirectResponse(own_path(location), status_code=303)
    set_secret(answer, COOKIE, secret, LIFETIME // MICROSECONDS)
    return answer


def set_secret(answer: Response, name: str, secret: str, seconds: int) -> None:
    """A cookie that scripts can't read and other sites can't send with what they post."""
    answer.set_cookie(name, secret, max_age=seconds, path="/", secure=True, httponly=True, samesite="lax")


def half_signed_in_answer(secret: str, location: str) -> Response:
    """To the second step, with the cookie of a half session."""
    query = urlencode({"next": own_path(location)})
    answer = RedirectResponse(f"{SIGN_IN}/second-factor?{query}", status_code=303)
    set_secret(answer, HALF, secret, LIFETIMES[CeremonyKind.HALF_SESSION] // MICROSECONDS)
    return answer


def signed_out_answer(location: str = SIGN_IN) -> Response:
    """To a page, without the cookie."""
    answer = RedirectResponse(location, status_code=303)
    answer.delete_cookie(COOKIE, path="/", secure=True, httponly=True, samesite="lax")
    return answer


def device_of(request: Request) -> str:
    """What the browser says it is."""
    return request.headers.get("user-agent", "")


def address_of(request: Request) -> str:
    """Where the request comes from, as this process sees it; behind a proxy that is the proxy."""
    return request.client.host if request.client else ""
