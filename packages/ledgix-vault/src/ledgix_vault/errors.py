"""Everything that the Vault refuses, by whose fault it is and what the caller can do about it.

VaultError                          the Vault's own fault, nothing to retry
├── CallerError                     asking again in the same way gets the same answer
│   ├── Unauthenticated             no key, or one that doesn't hold
│   │   └── TokenRefused            an approval token that doesn't hold
│   ├── Forbidden                   known, but not allowed
│   │   └── MissingScope            the API key or role lacks the scope that is named
│   ├── NotFound                    unknown, or another tenant's: never distinguishable
│   ├── Conflict                    the world moved on: consumed, decided, superseded
│   ├── Invalid                     the request itself is wrong, at a path that is named
│   │   ├── DocumentRefused         a document that can't be taken in; `code` says why
│   │   └── PolicyInvalid           a policy that doesn't compile, with one problem for each flaw
│   └── TooLarge
├── Busy                            ask again after `retry_after` seconds
│   └── NotYetCheckpointed          no checkpoint covers the entry yet
├── Unavailable                     the store or a key can't be used now; ask again later
│   └── HighWaterConflict           somebody else moved this log's high-water cell
└── StartRefused                    this Vault must not run as it stands; says what to do
    ├── InUse                       another process holds the data directory or the database
    └── SettingsInvalid             a setting that is wrong, named

`code` is stable and goes on the wire, `detail` is for people and may change. Neither ever carries a secret.
Which HTTP status an error becomes is decided in `web.problems`, not here.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ledgix.formats.json import JsonObject


class VaultError(Exception):
    """The root; raised as such only for what nobody outside can mend."""

    code: str = "internal"

    def __init__(self, detail: str, *, code: str | None = None, request_id: str | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.request_id = request_id
        if code is not None:
            self.code = code


class CallerError(VaultError):
    """The request can't succeed as it is."""

    code = "bad_request"


class Unauthenticated(CallerError):
    """No API key, session or token, or one that doesn't hold."""

    code = "unauthenticated"


class TokenRefused(Unauthenticated):
    """An approval token that doesn't hold; `code` is `token_invalid` or `token_expired`."""

    code = "token_invalid"


class Forbidden(CallerError):
    """The caller is known and may not do this."""

    code = "forbidden"


class MissingScope(Forbidden):
    """The API key, or the role, lacks `scope`; the message names it."""

    code = "missing_scope"

    def __init__(self, scope: str, *, holder: str = "This API key", request_id: str | None = None) -> None:
        super().__init__(f"{holder} lacks the scope “{scope}”.", request_id=request_id)
        self.scope = str(scope)


class NotFound(CallerError):
    """Unknown, or another tenant's: the two must look the same from outside."""

    code = "not_found"

    def __init__(
        self, detail: str = "There is no such thing here.", *, code: str | None = None, request_id: str | None = None
    ) -> None:
        super().__init__(detail, code=code, request_id=request_id)


class Conflict(CallerError):
    """The request was fine, but something happened before it; `code` says what."""

    code = "conflict"

    def __init__(self, detail: str, *, code: str, request_id: str | None = None) -> None:
        super().__init__(detail, code=code, request_id=request_id)


class Invalid(CallerError):
    """The request itself is wrong. `path` is the JSON path of the flaw, `$` for the whole body."""

    code = "invalid"

    def __init__(
        self,
        detail: str,
        path: str = "$",
        code: str | None = None,
        *,
        problems: Iterable[JsonObject] = (),
        request_id: str | None = None,
    ) -> None:
        super().__init__(detail, code=code, request_id=request_id)
        self.path = path
        self.problems = tuple(problems)


class PolicyInvalid(Invalid):
    """A policy that doesn't compile; `problems` has one object for each flaw."""

    code = "policy_invalid"


class DocumentRefused(Invalid):
    """A document that can't be taken in, nothing of which was kept; `code` is `document_…` for each reason."""

    code = "document_unreadable"


class TooLarge(CallerError):
    """The body is longer than the Vault reads."""

    code = "too_large"


class Busy(VaultError):
    """Too much at once; nothing was done. Ask again after `retry_after` whole seconds."""

    code = "busy"

    def __init__(
        self,
        retry_after: int = 1,
        detail: str = "The Vault has more to do than it can queue. Nothing was done; ask again shortly.",
        *,
        code: str | None = None,
        request_id: str | None = None,
    ) -> None:
        super().__init__(detail, code=code, request_id=request_id)
        self.retry_after = retry_after


class NotYetCheckpointed(Busy):
    """The entry is in the log, but no signed checkpoint covers it yet."""

    code = "not_yet_checkpointed"

    def __init__(
        self,
        retry_after: int = 1,
        detail: str = "No signed checkpoint covers this entry yet; ask again shortly.",
        *,
        request_id: str | None = None,
    ) -> None:
        super().__init__(retry_after, detail, request_id=request_id)


class Unavailable(VaultError):
    """Something that the Vault needs can't be used now. Whether the work was done is unknown: ask again with the
    same `Idempotency-Key` after `retry_after` whole seconds."""

    code = "unavailable"

    def __init__(
        self,
        detail: str = "The Vault's store can't be used right now; ask again with the same Idempotency-Key.",
        *,
        retry_after: int = 1,
        code: str | None = None,
        request_id: str | None = None,
    ) -> None:
        super().__init__(detail, code=code, request_id=request_id)
        self.retry_after = retry_after


class HighWaterConflict(Unavailable):
    """The high-water cell isn't where the caller believes: another Vault signs for this log, or the store was put
    back to an older state. Nothing may be signed or published before that is understood."""

    code = "high_water_conflict"


class StartRefused(VaultError):
    """The Vault must not run as things stand. `detail` names the file or setting, `remedy` what a person can do."""

    code = "start_refused"

    def __init__(self, detail: str, remedy: str) -> None:
        super().__init__(detail)
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.detail}\n{self.remedy}"


class InUse(StartRefused):
    """Another process holds what a Vault must have for itself; it may be about to let go."""

    code = "in_use"


class SettingsInvalid(StartRefused):
    """A setting that is wrong; `detail` names its variable or TOML key."""

    code = "settings_invalid"
