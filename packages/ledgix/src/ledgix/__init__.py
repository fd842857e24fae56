"""Guards sensitive tool calls: a Ledgix Vault decides, records and proves; nothing runs without its approval.

The first guarded call, with LEDGIX_VAULT_URL and LEDGIX_VAULT_API_KEY in the environment:

    import ledgix

    @ledgix.guard(tool="stripe_refund", policy_id="refunds")
    def refund(order_id: str, amount: float, currency: str = "USD") -> str:
        return f"refunded {amount} {currency}, approved by {ledgix.current_clearance().request_id}"

    try:
        print(refund("A-1001", 45))
    except ledgix.ClearanceDenied as denied:
        print("the Vault said no:", denied.reason)

`Ledgix` and `AsyncLedgix` are the clients below that, `ledgix.client.errors` draws the tree of errors, `ledgix.verify`
checks evidence offline, and `ledgix.formats` is what both agree on. Names load at first use: whoever only verifies
evidence loads no HTTP client.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ledgix.client import (
        AsyncLedgix,
        AsyncPendingReview,
        Clearance,
        ClearanceRequest,
        ClientSettings,
        Ledgix,
        PendingReview,
        ReviewMode,
    )
    from ledgix.client.errors import (
        AnswerInvalid,
        ArgumentsError,
        ClearanceDenied,
        NotCleared,
        ReplayMemoryFull,
        ReviewExpired,
        ReviewPending,
        ReviewTimedOut,
        SettingsError,
        TokenMismatch,
        TokenReplayed,
        VaultBusy,
        VaultError,
        VaultFailed,
        VaultRefused,
        VaultUnreachable,
    )
    from ledgix.enforce import cleared, configure, current_clearance, current_token, guard, resume
    from ledgix.errors import FormatError, JsonError, LedgixError, TokenError, VerificationError

__all__ = [
    "AnswerInvalid",
    "ArgumentsError",
    "AsyncLedgix",
    "AsyncPendingReview",
    "Clearance",
    "ClearanceDenied",
    "ClearanceRequest",
    "ClientSettings",
    "FormatError",
    "JsonError",
    "Ledgix",
    "LedgixError",
    "NotCleared",
    "PendingReview",
    "ReplayMemoryFull",
    "ReviewExpired",
    "ReviewMode",
    "ReviewPending",
    "ReviewTimedOut",
    "SettingsError",
    "TokenError",
    "TokenMismatch",
    "TokenReplayed",
    "VaultBusy",
    "VaultError",
    "VaultFailed",
    "VaultRefused",
    "VaultUnreachable",
    "VerificationError",
    "cleared",
    "configure",
    "current_clearance",
    "current_token",
    "guard",
    "resume",
]

_ROOMS = ("ledgix.errors", "ledgix.client.errors", "ledgix.client", "ledgix.enforce")


def __getattr__(name: str) -> object:
    if name in __all__:
        for room in _ROOMS:
            found: object = getattr(import_module(room), name, None)
            if found is not None:
                globals()[name] = found
                return found
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
