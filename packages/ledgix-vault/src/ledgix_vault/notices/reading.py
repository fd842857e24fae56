"""Reading settings strictly: each raises `Invalid` at the path that it is given."""

from __future__ import annotations

from ledgix.formats.json import Json, JsonObject
from ledgix_vault.errors import Invalid
from ledgix_vault.notices.kinds import NoticeKind

LONGEST_TEXT = 200
LONGEST_SECRET = 2000
LONGEST_EMAIL = 254


def an_object(value: Json, name: str) -> JsonObject:
    if not isinstance(value, dict):
        raise Invalid("must be an object", path=name if name.startswith("$") else f"$.{name}")
    return value


def a_list(value: Json, path: str, most: int) -> list[Json]:
    if not isinstance(value, list) or len(value) > most:
        raise Invalid(f"must be a list of at most {most}", path=path)
    return value


def a_flag(value: Json, path: str) -> bool:
    if not isinstance(value, bool):
        raise Invalid("must be true or false", path=path)
    return value


def a_number(value: Json, path: str, most: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= most:
        raise Invalid(f"must be a whole number from 0 to {most}", path=path)
    return value


def a_text(value: Json, path: str, longest: int) -> str:
    if not isinstance(value, str) or len(value) > longest or not (value.isascii() and (value.isprintable())):
        raise Invalid(f"must be a string of at most {longest} printable ASCII characters", path=path)
    return value


def event_kinds(value: Json, path: str) -> tuple[NoticeKind, ...]:
    """Distinct kinds in their own order."""
    names = a_list(value, path, 100)
    if not all(isinstance(name, str) and name in tuple(NoticeKind) for name in names):
        raise Invalid(f"must be a list of {', '.join(NoticeKind)}", path=path)
    return tuple(kind for kind in NoticeKind if kind in names)


def email_address(value: Json, path: str) -> str:
    """An address in lower case, in a form that can't change the head of a mail."""
    refusal = Invalid("must be e-mail addresses", path=path)
    if not isinstance(value, str) or not value.isascii() or not value.isprintable():
        raise refusal
    address = value.strip().lower()
    local, _, domain = address.rpartition("@")
    if not (local and domain and len(address) <= LONGEST_EMAIL) or any(sign in address for sign in ' ,;<>()[]"\\:'):
        raise refusal
    return address
