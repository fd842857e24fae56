"""The function runs with an approval in hand, or not at all."""

from __future__ import annotations

import functools
import inspect
import json
import threading

import pytest
from fake_vault import FakeVault

import ledgix
from ledgix import (
    ArgumentsError,
    ClearanceDenied,
    JsonError,
    ReviewPending,
    TokenError,
    TokenMismatch,
    TokenReplayed,
    VaultUnreachable,
    cleared,
    configure,
    current_clearance,
    current_token,
    guard,
    resume,
)
from ledgix.formats.keys import PrivateKey


class Effects:
    """What really happened."""

    def __init__(self) -> None:
        self.happened: list[tuple] = []

    def make(self, **options: object):
        @guard(**options)
        def refund(order_id: str, amount: float, currency: str = "USD") -> str:
            """Refunds."""
            self.happened.append((order_id, amount, currency, current_token()))
            return "done"

        return refund


@pytest.fixture
def effects() -> Effects:
    return Effects()


def sent(vault: FakeVault) -> dict:
    return json.loads(next(seen.body for seen in vault.seen if seen.path == "/request-clearance"))


def test_an_approved_call_runs_with_its_token(vault: FakeVault, effects: Effects) -> None:
    refund = effects.make(tool="stripe_refund", policy_id="refunds", purpose="refund")
    assert refund("A-1", 45) == "done"
    (happened,) = effects.happened
    assert happened == ("A-1", 45, "USD", vault.token(vault.only()))
    assert sent(vault)["tool_name"] == "stripe_refund"
    assert sent(vault)["tool_args"] == {"order_id": "A-1", "amount": 45, "currency": "USD"}
    assert sent(vault)["context"] == {"policy_id": "refunds"}
    assert current_clearance() is None
    assert current_token() is None


def test_without_parentheses_the_tool_is_the_functions_name(vault: FakeVault) -> None:
    @guard
    def charge(amount: int) -> int:
        return amount

    assert charge(5) == 5
    assert sent(vault)["tool_name"] == "charge"
    assert inspect.signature(charge) == inspect.signature(charge.__wrapped__)


@pytest.mark.parametrize("trouble", ["denied", "unreachable", "tampered", "forged", "malformed", "unrepresentable"])
def test_whatever_goes_wrong_nothing_runs(vault: FakeVault, effects: Effects, trouble: str) -> None:
    amount: object = 45
    match trouble:
        case "denied":
            vault.decide, expected = (lambda body: "denied"), ClearanceDenied
        case "unreachable":
            vault.faults, expected = [("lost before",)] * 4, VaultUnreachable
        case "tampered":
            vault.tamper_claims, expected = (lambda claims: {**claims, "tool": "other"}), TokenMismatch
        case "forged":
            vault.token_key, expected = PrivateKey.generate(), TokenError
        case "malformed":
            vault.tamper_answer, expected = (lambda path, answer: {"status": "approved"}), ledgix.AnswerInvalid
        case _:
            amount, expected = object(), JsonError
    with pytest.raises(expected):
        effects.make()("A-1", amount)
    assert effects.happened == []


def test_one_approval_runs_once(vault: FakeVault, effects: Effects) -> None:
    refund = effects.make()
    refund("A-1", 45)
    same = vault.answer(vault.only(), with_token=True)
    vault.tamper_answer = lambda path, answer: same if path == "/request-clearance" else answer
    with pytest.raises(TokenReplayed):
        refund("A-1", 45)
    assert len(effects.happened) == 1


def test_facts_and_context_may_depend_on_the_call(vault: FakeVault, effects: Effects) -> None:
    refund = effects.make(
        facts=lambda seen: {"order_total": 100 if seen["order_id"] == "A-1" else 0},
        context={"channel": "chat"},
        human_principal=lambda seen: "ann",
    )
    refund("A-1", 45)
    assert sent(vault)["context"] == {"channel": "chat", "facts": {"order_total": 100}}
    assert sent(vault)["human_principal"] == "ann"


def test_methods_class_methods_and_static_methods(vault: FakeVault) -> None:
    class Shop:
        def __init__(self) -> None:
            self.paid: list[int] = []

        @guard
        def pay(self, amount: int) -> list[int]:
            self.paid.append(amount)
            return self.paid

        @guard
        @classmethod
        def of(cls, amount: int) -> tuple[type, int]:
            return cls, amount

        @classmethod
        @guard
        def under(cls, amount: int) -> tuple[type, int]:
            return cls, amount

        @guard
        @staticmethod
        def static(amount: int) -> int:
            return amount

    assert Shop().pay(5) == [5]
    assert Shop.of(6) == (Shop, 6)
    assert Shop.under(7) == (Shop, 7)
    assert Shop.static(8) == 8
    bodies = [json.loads(seen.body) for seen in vault.seen if seen.path == "/request-clearance"]
    assert [body["tool_args"] for body in bodies] == [{"amount": amount} for amount in (5, 6, 7, 8)]


def test_partials_are_bound_with_what_they_hold(vault: FakeVault) -> None:
    def pay(amount: int, currency: str) -> str:
        return f"{amount} {currency}"

    assert guard(tool="pay")(functools.partial(pay, currency="EUR"))(5) == "5 EUR"
    assert sent(vault)["tool_args"] == {"amount": 5, "currency": "EUR"}


def test_nested_guards_each_have_their_own_approval(vault: FakeVault) -> None:
    tokens = []

    @guard
    def inner() -> None:
        tokens.append(current_token())

    @guard
    def outer() -> None:
        tokens.append(current_token())
        inner()
        tokens.append(current_token())

    outer()
    assert tokens[0] == tokens[2] != tokens[1]


def test_an_error_of_the_function_is_its_own(vault: FakeVault) -> None:
    @guard
    def fails() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fails()
    assert current_clearance() is None


def test_threads_do_not_see_each_others_approval(vault: FakeVault) -> None:
    seen_elsewhere = []

    @guard
    def work() -> None:
        thread = threading.Thread(target=lambda: seen_elsewhere.append(current_token()))
        thread.start()
        thread.join()

    work()
    assert seen_elsewhere == [None]


def test_what_can_not_be_guarded_says_so_at_once() -> None:
    def generator():
        yield 1

    async def async_generator():
        yield 1

    class Thing:
        def __call__(self) -> None: ...

    for unguardable in (generator, async_generator, Thing, Thing(), lambda: None, 5):
        with pytest.raises(TypeError):
            guard(unguardable)


def test_a_client_of_the_wrong_kind_is_refused_at_once(vault: FakeVault) -> None:
    async def coroutine() -> None: ...

    with pytest.raises(TypeError, match="AsyncLedgix"):
        guard(client=vault.client())(coroutine)
    with pytest.raises(TypeError, match="Ledgix"):
        guard(client=vault.async_client())(len)


# Changes and detached reviews


def test_a_reviewers_change_is_what_runs(vault: FakeVault, effects: Effects) -> None:
    vault.decide = lambda body: "pending"
    smaller = {"order_id": "A-1", "amount": 20, "currency": "USD"}
    vault.time.while_asleep = [lambda: vault.settle(vault.only().request_id, "approved", effective_args=smaller)]
    effects.make(accepts=["changed_args"])("A-1", 45.5)
    assert effects.happened[0][:3] == ("A-1", 20.0, "USD")
    assert type(effects.happened[0][1]) is float


def test_arguments_changed_during_the_review_do_not_run(vault: FakeVault) -> None:
    paid, lines = [], [5]
    vault.decide = lambda body: "pending"

    def approve_and_cheat() -> None:
        vault.settle(vault.only().request_id, "approved")
        lines[0] = 5000

    vault.time.while_asleep = [approve_and_cheat]
    with pytest.raises(ArgumentsError):
        guard(paid.append)(lines)
    assert paid == []


def test_a_detached_review_is_resumed_with_the_same_arguments(vault: FakeVault, effects: Effects) -> None:
    vault.decide = lambda body: "pending"
    told = []
    refund = effects.make(review_mode="detach", on_review_pending=told.append)
    with pytest.raises(ReviewPending) as pending:
        refund("A-1", 45)
    assert told == [pending.value.review]
    request_id = pending.value.request_id
    with pytest.raises(ReviewPending):
        resume(refund, request_id, "A-1", 45)
    vault.settle(request_id, "approved")
    with pytest.raises(TokenMismatch):
        resume(refund, request_id, "A-1", 4500)
    assert effects.happened == []
    assert resume(refund, pending.value.review, "A-1", amount=45) == "done"
    with pytest.raises(TokenReplayed):
        resume(refund, request_id, "A-1", 45)
    assert len(effects.happened) == 1
    assert vault.time.slept == []


def test_nothing_is_resumed_when_tokens_are_not_verified(vault: FakeVault, effects: Effects) -> None:
    vault.decide = lambda body: "pending"
    refund = effects.make(client=vault.client(verify_jwt=False, review_mode="detach"))
    with pytest.raises(ReviewPending) as pending:
        refund("A-1", 45)
    vault.settle(pending.value.request_id, "approved")
    with pytest.raises(ArgumentsError, match="LEDGIX_VERIFY_JWT"):
        resume(refund, pending.value.request_id, "A-1", 4500)
    assert effects.happened == []


def test_a_method_is_resumed_too_and_only_guarded_functions_are(vault: FakeVault) -> None:
    class Shop:
        @guard
        def pay(self, amount: int) -> tuple:
            return self, amount

    vault.decide = lambda body: "pending"
    shop = Shop()
    with pytest.raises(ledgix.ReviewTimedOut) as timed_out:
        shop.pay(5)
    vault.settle(timed_out.value.request_id, "approved")
    assert resume(shop.pay, timed_out.value.request_id, 5) == (shop, 5)
    with pytest.raises(TypeError, match="not guarded"):
        resume(len, "x", [])


# Async


@pytest.mark.anyio
async def test_async_functions(vault: FakeVault) -> None:
    async def facts(seen) -> dict:
        return {"n": seen["amount"]}

    @guard(facts=facts)
    async def pay(amount: int) -> str | None:
        return current_token()

    assert inspect.iscoroutinefunction(pay)
    assert await pay(5) == vault.token(vault.only())
    assert current_token() is None
    assert sent(vault)["context"] == {"facts": {"n": 5}}
    vault.decide = lambda body: "denied"
    with pytest.raises(ClearanceDenied):
        await pay(6)


@pytest.mark.anyio
async def test_async_detached_review(vault: FakeVault) -> None:
    told = []

    async def tell(review) -> None:
        told.append(review.request_id)

    @guard(review_mode="detach", on_review_pending=tell, accepts=["changed_args"])
    async def pay(amount: int) -> int:
        return amount

    vault.decide = lambda body: "pending"
    with pytest.raises(ReviewPending) as pending:
        await pay(5)
    assert told == [pending.value.request_id]
    with pytest.raises(ReviewPending):
        await resume(pay, pending.value.review, 5)
    vault.settle(pending.value.request_id, "approved", effective_args={"amount": 3})
    assert await resume(pay, pending.value.review, 5) == 3


# Blocks and defaults


def test_a_cleared_block(vault: FakeVault) -> None:
    with cleared("stripe_refund", {"amount": 45}, purpose="refund") as clearance:
        assert current_clearance() is clearance
        assert clearance.approved_args == {"amount": 45}
    assert current_clearance() is None
    assert sent(vault)["purpose"] == "refund"
    vault.decide = lambda body: "denied"
    entered = False
    with pytest.raises(ClearanceDenied), cleared("stripe_refund", {}):
        entered = True
    assert not entered


@pytest.mark.anyio
async def test_an_async_cleared_block(vault: FakeVault) -> None:
    async with cleared("stripe_refund", {"amount": 45}) as clearance:
        assert current_clearance() is clearance
    assert current_clearance() is None
    with pytest.raises(TypeError, match="async with"), cleared("t", client=vault.async_client()):
        pass


def test_a_block_is_entered_once_at_a_time(vault: FakeVault) -> None:
    block = cleared("t")
    with block, pytest.raises(RuntimeError), block:
        pass
    with block as clearance:
        assert clearance.is_approved


def test_configure_takes_settings_or_clients(vault: FakeVault, monkeypatch: pytest.MonkeyPatch) -> None:
    from ledgix.enforce import default_async_client, default_client

    configure(agent_id="from-overrides")
    assert default_client().settings.agent_id == default_async_client().settings.agent_id == "from-overrides"
    configure(client=vault.client(agent_id="from-client"))
    assert default_async_client().settings.agent_id == "from-client"
    with pytest.raises(TypeError):
        configure(vault.settings(), agent_id="x")
    monkeypatch.setenv("LEDGIX_REVIEW_MODE", "maybe")
    with pytest.raises(ledgix.SettingsError, match="LEDGIX_REVIEW_MODE"):
        configure()


def test_every_public_name_is_there_and_verifiers_load_no_http_client() -> None:
    import subprocess
    import sys

    for name in ledgix.__all__:
        assert getattr(ledgix, name).__name__ == name
    assert set(ledgix.__all__) <= set(dir(ledgix))
    with pytest.raises(AttributeError):
        ledgix.nothing  # noqa: B018
    program = "import sys, ledgix, ledgix.verify; sys.exit('httpx2' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
