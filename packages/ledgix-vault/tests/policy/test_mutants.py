"""The case files notice it: destinations, hosts and registers with one operator turned around fail one of them."""

from __future__ import annotations

import sys
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from ledgix_vault.policy import destinations, hosts, registers
from ledgix_vault.policy.evaluate import evaluate
from ledgix_vault.policy.snapshot import Snapshot

sys.path.insert(0, str(Path(__file__).parent))

from test_cases import _call, _found, _snapshot

CASES = Path(__file__).parent / "cases"
MUTANTS = [
    (destinations, "if any(receiver.met(pattern))", "if all(receiver.met(pattern))"),
    (destinations, "elif any(_leaves(receiver, allow, about)", "elif all(_leaves(receiver, allow, about)"),
    (destinations, "if not receiver.told(about)]", "if receiver.told(about)]"),
    (destinations, "elif receiver.unreadable and any(", "elif receiver.unreadable and not any("),
    (
        destinations,
        'effect, why = Effect.DENY, f"the destination ({_named(receiver)}) is denied',
        'effect, why = None, f"',
    ),
    (destinations, "effect, why = Effect.REVIEW, f", "effect, why = None, f"),
    (destinations, 'effect, why = Effect.REVIEW, "the host', 'effect, why = None, "the host'),
    (destinations, "NOT_ALLOWED if effect is Effect.DENY", "NOT_ALLOWED if effect is not Effect.DENY"),
    (destinations, "return bool(self.hosts) and not self.unreadable", "return bool(self.hosts)"),
    (destinations, "return bool(self.provider or self.account)", "return bool(self.provider and self.account)"),
    (destinations, 'is_host = "." in written or', "is_host = False or"),
    (destinations, 'or written == "*"', ""),
    (destinations, "return any(not any(of_one_host)", "return all(not any(of_one_host)"),
    (destinations, "return any(not any(of_one_host)", "return any(not all(of_one_host)"),
    (destinations, "receiver.told(about) and not any(any(answer)", "receiver.told(about) and not all(any(answer)"),
    (destinations, "matches(pattern.casefold(), provider.casefold())", "matches(pattern, provider)"),
    (
        destinations,
        "return bool(account) and matches(pattern, account)",
        "return matches(pattern.lower(), account.lower())",
    ),
    (destinations, '[call.destination.get("uri", ""), *_addresses(call)]', '[call.destination.get("uri", "")]'),
    (destinations, '(name == "host" or "://" in value)', '"://" in value'),
    (destinations, '(name == "host" or "://" in value)', "True"),
    (destinations, "return True if all(receiver.told(about)", "return True if True or all(receiver.told(about)"),
    (hosts, 'or "\\\\" in address', ""),
    (hosts, "if not address.isprintable() or", "if"),
    (hosts, "if not _BARE.fullmatch(address):", "if False:"),
    (hosts, 'host.removesuffix(".")', "host"),
    (hosts, "if not all(_LABEL.fullmatch(label)", "if not any(_LABEL.fullmatch(label)"),
    (hosts, "return _address(ascii_host) if _NUMBER", "return ascii_host if _NUMBER"),
    (hosts, 'patterns[0] == "*" and len(labels) > len(patterns)', "len(labels) > len(patterns)"),
    (hosts, "len(labels) > len(patterns)", "False"),
    (hosts, "return len(patterns) == len(labels) and all(", "return all("),
    (hosts, "and all(map(matches, patterns, labels))", "and any(map(matches, patterns, labels))"),
    (hosts, "if found.scope_id is not None:", "if False:"),
    (hosts, "if found.ipv4_mapped is not None:", "if False:"),
    (hosts, "return host.lower()", "return host"),
    (hosts, "if _READ_DIFFERENTLY & set(host):", "if False:"),
    (hosts, 'return host.encode("idna")', 'return host.encode("punycode")'),
    (registers, "if not call.register_ref or register.ref == call.register_ref", "if True"),
    (registers, "register.ref == call.register_ref", "register.ref != call.register_ref"),
    (registers, "if answer is True", "if answer is not False"),
    (registers, "if answer is None]", "if answer is False]"),
    (registers, "set(call.data_categories) <= set", "set(call.data_categories) >= set"),
    (registers, "set(call.data_categories) <= set", "set(call.data_categories) & set"),
    (registers, "if call.data_categories else None", "if call.data_categories else True"),
    (registers, "call.purpose in register.purposes", "call.purpose not in register.purposes"),
    (registers, "in register.purposes if call.purpose else None", "in register.purposes if call.purpose else True"),
    (registers, "if register.recipients else True", "if register.recipients else None"),
    (
        registers,
        "False if False in answers else None if None in answers",
        "None if None in answers else False if False in answers",
    ),
    (registers, "NO_MATCH if effect is Effect.DENY", "NO_MATCH if effect is not Effect.DENY"),
]


@lru_cache
def cases() -> list[tuple[Snapshot, list[Any]]]:
    files = [yaml.safe_load((CASES / f"{name}.yaml").read_text()) for name in ("destinations", "registers")]
    return [(_snapshot(case), case["calls"]) for file in files for case in file]


def failing() -> bool:
    """Whether any case of the two files fails."""
    return any(
        _found(evaluate(snapshot, _call(asked["call"])), asked["expect"]) != asked["expect"]
        for snapshot, calls in cases()
        for asked in calls
    )


def test_the_originals_fail_nowhere() -> None:
    assert not failing()


@pytest.mark.parametrize(
    ("module", "old", "new"), MUTANTS, ids=[f"{m.__name__[20:]}: {new[:50]}" for m, _, new in MUTANTS]
)
def test_each_mutant_is_noticed(module: Any, old: str, new: str, monkeypatch: pytest.MonkeyPatch) -> None:
    source = Path(module.__file__).read_text()
    assert old in source
    mutant: dict[str, Any] = {"__name__": module.__name__}
    exec(compile(source.replace(old, new, 1), module.__file__, "exec"), mutant)
    put_in_place(module, mutant, monkeypatch)
    assert failing()


def put_in_place(module: Any, mutant: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever uses something of `module` uses the mutant's from now on."""
    own = {name: value for name, value in vars(module).items() if getattr(value, "__module__", "") == module.__name__}
    for user in [found for name, found in sys.modules.items() if name.startswith("ledgix_vault.policy")]:
        for name, value in own.items():
            if vars(user).get(name) is value:
                monkeypatch.setattr(user, name, mutant[name])
