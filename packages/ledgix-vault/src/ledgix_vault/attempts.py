"""Who guesses is slowed down: failed tries are counted in memory, by what is guessed at and by where it comes from.

A counter is of this process alone and forgotten when it ends; a Vault that restarts for every guess is slow as well.
"""

from __future__ import annotations

from ipaddress import ip_address

from limits import RateLimitItem, RateLimitItemPerHour, RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from ledgix_vault.errors import Busy

PER_ACCOUNT: RateLimitItem = RateLimitItemPerMinute(10, 15, namespace="account")
"""Failed tries at one account from anywhere: ten in fifteen minutes."""
PER_ADDRESS: RateLimitItem = RateLimitItemPerHour(100, 1, namespace="address")
"""Failed tries from one address at anything: a hundred in an hour."""
BEGUN: RateLimitItem = RateLimitItemPerMinute(60, 1, namespace="begun")
"""What somebody unknown may begin from one address: sixty in a minute."""
RETRY_AFTER = 900


class Attempts:
    """Failed tries of one process."""

    def __init__(self) -> None:
        self._limiter = MovingWindowRateLimiter(MemoryStorage())

    def begin(self, account: str, address: str) -> None:
        """Counts a try before it is known to be wrong, so that many at once gain nothing; raises `Busy` when this
        account or this address has had too many."""
        from_one = is_one(address)
        if not ((not from_one or self._limiter.test(PER_ADDRESS, address)) and self._limiter.hit(PER_ACCOUNT, account)):
            raise Busy(
                RETRY_AFTER,
                "Too many failed tries. Wait a quarter of an hour, then try again.",
                code="too_many_attempts",
            )

    def failed(self, address: str) -> None:
        """Counts a try that was wrong against where it came from."""
        if is_one(address):
            self._limiter.hit(PER_ADDRESS, address)

    def asked(self, address: str) -> None:
        """Counts something begun by nobody known yet; raises `Busy` when one address begins too much."""
        if is_one(address) and not self._limiter.hit(BEGUN, address):
            raise Busy(60, "Too many tries from here. Wait a minute, then try again.", code="too_many_attempts")

    def succeeded(self, account: str) -> None:
        """Forgets the failed tries at this account: whoever it is has shown who they are."""
        self._limiter.clear(PER_ACCOUNT, account)


def is_one(address: str) -> bool:
    """Whether an address stands for one client. This very machine may be a proxy that all come through; name it as
    trusted (`VAULT_TRUSTED_PROXIES`), and the clients behind it are told apart."""
    try:
        return not ip_address(address).is_loopback
    except ValueError:
        return False
