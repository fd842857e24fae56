"""What can go wrong, by whose fault it is.

LedgixError
├── FormatError             bytes or values that no honest party would send
│   ├── JsonError           … JSON; names the path
│   └── CborError           … CBOR that isn't in the one form the contract allows
└── VerificationError       well-formed evidence that does not hold
    └── TokenError          an approval token that must not be accepted

The client's errors hang below LedgixError too; they stand in `ledgix.client.errors`.
"""

from __future__ import annotations


class LedgixError(Exception):
    """Everything this package raises on purpose."""


class FormatError(LedgixError):
    """Bytes or values that no honest party would send."""


class JsonError(FormatError):
    """JSON that two readers could understand differently; `path` is like `$.tool_args.items[2].amount`."""

    def __init__(self, message: str, path: str = "$") -> None:
        super().__init__(message, path)
        self.message = message
        self.path = path

    def __str__(self) -> str:
        return f"{self.path}: {self.message}"


class CborError(FormatError):
    """CBOR outside the contract's single form (section 6, "Hashes")."""


class VerificationError(LedgixError):
    """Evidence that does not hold; `step` says which check found it, `""` when a single primitive raised it."""

    def __init__(self, message: str, step: str = "") -> None:
        super().__init__(message, step)
        self.message = message
        self.step = step

    def __str__(self) -> str:
        return f"{self.step}: {self.message}" if self.step else self.message


class TokenError(VerificationError):
    """A token that must not be accepted; `code` is `token_invalid` or `token_expired`, as the contract names them."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
