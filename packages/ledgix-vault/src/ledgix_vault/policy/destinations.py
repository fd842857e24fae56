"""Who may receive a call: lists of counterparties, allowed and denied.

Invariants
- `deny` beats `allow`. A list whose `allow` doesn't mean the counterparty denies; one that can't tell asks a person.
- A pattern is about one thing: `host:`, `provider:` or `account:`. Without a prefix it is about the host if it has a
  dot or is `*`, else about the provider or the account.
- Kinds are joined by *and*: an `allow` with hosts and accounts wants one of the hosts and one of the accounts. A name
  that a caller claims never makes up for a host that isn't listed.
- Every address among the call's arguments counts as well: saying api.stripe.com while `url` leads elsewhere helps
  nobody.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Final, NamedTuple

from ledgix_vault.policy.call import Call
from ledgix_vault.policy.effect import Effect
from ledgix_vault.policy.finding import Finding
from ledgix_vault.policy.globs import matches
from ledgix_vault.policy.hosts import host_matches, host_of, host_pattern_flaw
from ledgix_vault.policy.parts import Destinations

NOT_ALLOWED: Final = "destination_not_allowed"
ADDRESS_ARGUMENTS: Final = ("url", "endpoint", "uri", "host")
LONGEST_SHOWN: Final = 100


class About(StrEnum):
    """What a pattern is about."""

    HOST = "host"
    PROVIDER = "provider"
    ACCOUNT = "account"
    NAME = "name"  # the provider or the account


class Pattern(NamedTuple):
    """A pattern without its prefix."""

    about: About
    text: str

    @classmethod
    def read(cls, written: str) -> Pattern:
        prefix, colon, rest = written.partition(":")
        if colon and prefix in (About.HOST, About.PROVIDER, About.ACCOUNT):
            return cls(About(prefix), rest)
        is_host = "." in written or "[" in written or written == "*"
        return cls(About.HOST if is_host else About.NAME, written)


class Receiver(NamedTuple):
    """The counterparty of a call. `hosts` are all that it names; `unreadable` are addresses without one."""

    hosts: tuple[str, ...]
    unreadable: tuple[str, ...]
    provider: str
    account: str

    @classmethod
    def of(cls, call: Call) -> Receiver:
        addresses = [call.destination.get("uri", ""), *_addresses(call)]
        found = {address: host_of(address) for address in addresses if address}
        return cls(
            hosts=tuple(dict.fromkeys(host for host in found.values() if host)),
            unreadable=tuple(address for address, host in found.items() if host is None),
            provider=call.destination.get("provider", ""),
            account=call.destination.get("account_ref", ""),
        )

    @property
    def seen(self) -> dict[str, str]:
        """For the trace."""
        named = {
            "host": ", ".join((*self.hosts, *map(ascii, self.unreadable))),
            "provider": self.provider,
            "account": self.account,
        }
        return {name: value[:LONGEST_SHOWN] or "missing" for name, value in named.items()}

    def told(self, about: About) -> bool:
        """Whether the call says it, in a way that can be read."""
        match about:
            case About.HOST:
                return bool(self.hosts) and not self.unreadable
            case About.PROVIDER:
                return bool(self.provider)
            case About.ACCOUNT:
                return bool(self.account)
            case About.NAME:
                return bool(self.provider or self.account)

    def met(self, pattern: Pattern) -> tuple[bool, ...]:
        """Whether the pattern means it: one answer for each thing of that kind that the call names."""
        match pattern.about:
            case About.HOST:
                return tuple(host_matches(pattern.text, host) for host in self.hosts)
            case About.PROVIDER:
                return (_provider_matches(pattern.text, self.provider),)
            case About.ACCOUNT:
                return (_account_matches(pattern.text, self.account),)
            case About.NAME:
                either = _provider_matches(pattern.text, self.provider) or _account_matches(pattern.text, self.account)
                return (either,)


def check_destinations(part: Destinations, receiver: Receiver) -> Finding:
    """What the list says of whoever would receive the call."""
    deny, allow = [Pattern.read(text) for text in part.deny], [Pattern.read(text) for text in part.allow]
    effect: Effect | None = None
    why = ""
    if denied := next((text for text, pattern in zip(part.deny, deny, strict=True) if any(receiver.met(pattern))), ""):
        effect, why = Effect.DENY, f"the destination ({_named(receiver)}) is denied by '{denied}'"
    elif any(_leaves(receiver, allow, about) for about in _kinds(allow)):
        effect, why = Effect.DENY, f"the destination ({_named(receiver)}) isn't among those that are allowed"
    elif missing := [about for about in _kinds(allow) if not receiver.told(about)]:
        effect, why = Effect.REVIEW, f"the {missing[0]} of the destination is not known"
    elif receiver.unreadable and any(pattern.about is About.HOST for pattern in deny):
        effect, why = Effect.REVIEW, "the host of the destination can't be read from its address"
    return Finding(
        id=f"destinations:{part.id}",
        quote=part.source or _in_words(part),
        effect=effect,
        reason_code=NOT_ALLOWED if effect is Effect.DENY else None,
        why=why,
        seen=receiver.seen,
    )


def recipient_allowed(patterns: Iterable[str], receiver: Receiver) -> bool | None:
    """Whether these patterns mean the receiver; None where the call doesn't tell."""
    allow = [Pattern.read(text) for text in patterns]
    kinds = _kinds(allow)
    if any(_leaves(receiver, allow, about) for about in kinds):
        return False
    return True if all(receiver.told(about) for about in kinds) else None


def pattern_flaw(written: str) -> str | None:
    """Why a pattern could mean nobody; None for one that could."""
    pattern = Pattern.read(written)
    if not pattern.text:
        return f"`{written}` names nothing after its prefix"
    if pattern.about is About.NAME and (":" in pattern.text or "/" in pattern.text):
        return f"`{written}` is no host, provider or account; write account:{written} if it is one"
    flaw = host_pattern_flaw(pattern.text) if pattern.about is About.HOST else None
    return f"`{written}` {flaw}" if flaw else None


def _kinds(patterns: Sequence[Pattern]) -> list[About]:
    return [about for about in About if any(pattern.about is about for pattern in patterns)]


def _leaves(receiver: Receiver, allow: Sequence[Pattern], about: About) -> bool:
    """Whether something of this kind that the call names is meant by none of the patterns."""
    answers = [receiver.met(pattern) for pattern in allow if pattern.about is about]
    if about is About.HOST:
        return any(not any(of_one_host) for of_one_host in zip(*answers, strict=True))
    return receiver.told(about) and not any(any(answer) for answer in answers)


def _provider_matches(pattern: str, provider: str) -> bool:
    return bool(provider) and matches(pattern.casefold(), provider.casefold())


def _account_matches(pattern: str, account: str) -> bool:
    return bool(account) and matches(pattern, account)


def _addresses(call: Call) -> list[str]:
    found = [(name, call.args.get(name)) for name in ADDRESS_ARGUMENTS]
    return [value for name, value in found if isinstance(value, str) and (name == "host" or "://" in value)]


def _named(receiver: Receiver) -> str:
    return ", ".join(f"{name} {value}" for name, value in receiver.seen.items() if value != "missing") or "unknown"


def _in_words(part: Destinations) -> str:
    parts = [f"{verb} {', '.join(some)}" for verb, some in (("allow", part.allow), ("deny", part.deny)) if some]
    return f"destinations: {'; '.join(parts)}"
