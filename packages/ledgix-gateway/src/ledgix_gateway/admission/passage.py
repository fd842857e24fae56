"""What has to be in the hand to forward a call."""

from __future__ import annotations

from dataclasses import dataclass, field

from ledgix.formats.tokens import TokenClaims
from ledgix_gateway.errors import Problem
from ledgix_gateway.routes.call import Call
from ledgix_gateway.routes.route import Mode, Route


@dataclass(frozen=True, slots=True)
class Presented:
    """A genuine, unexpired token of our tenant for this tool. Nobody has compared it with a call yet."""

    token: str = field(repr=False)
    claims: TokenClaims


@dataclass(frozen=True, slots=True)
class Verified:
    """A token that is good for exactly this call and isn't burned yet."""

    token: str = field(repr=False)
    claims: TokenClaims
    call: Call


@dataclass(frozen=True, slots=True)
class Approval:
    """The Vault approved exactly this call, and its token is burned: forward it now, once."""

    claims: TokenClaims

    @property
    def request_id(self) -> str:
        return self.claims.request_id


@dataclass(frozen=True, slots=True)
class Unguarded:
    """A call that the configuration lets through although nobody approved it. `problem` is what `enforce` would have
    answered; None on an open route. `route` is None for what has no route, in mode observe with `unmapped`."""

    route: Route | None
    problem: Problem | None

    def __post_init__(self) -> None:
        if self.route is not None and not self.route.open and self.route.mode is not Mode.OBSERVE:
            raise ValueError(f"{self.route.label} lets nothing through without an approval")

    @property
    def request_id(self) -> str:
        return ""


Passage = Approval | Unguarded
