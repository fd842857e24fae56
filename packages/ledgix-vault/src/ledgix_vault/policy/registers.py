"""Processing registers: personal data goes out only as a record of processing says.

Invariants
- A call matches a register if its data categories are all in it, its purpose is one of it, and its recipient is one of
  it (a register without recipients doesn't limit them). A call that names a register may only match that one.
- No register matches: denied. What the call doesn't tell (no categories, or none of the others where only that is
  missing) can't be decided, so a person does. An empty list of categories tells nothing, as in the contract.
- One register has to cover the whole call; two that cover half of it each don't.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from ledgix_vault.policy.call import Call
from ledgix_vault.policy.cel.inputs import printable
from ledgix_vault.policy.destinations import Receiver, recipient_allowed
from ledgix_vault.policy.effect import Effect
from ledgix_vault.policy.finding import Finding
from ledgix_vault.policy.parts import Register

NO_MATCH: Final = "processing_no_register_match"
LONGEST_SHOWN: Final = 200


def check_registers(registers: Sequence[Register], call: Call, receiver: Receiver) -> Finding:
    """What the policy's registers say of the call, all of them together."""
    asked = [register for register in registers if not call.register_ref or register.ref == call.register_ref]
    answers = [(register, _matches(register, call, receiver)) for register in asked]
    matching = next((register for register, answer in answers if answer is True), None)
    open_ones = [register for register, answer in answers if answer is None]
    if matching is not None:
        return _finding(call, receiver, [matching], None, "")
    if open_ones:
        return _finding(call, receiver, open_ones, Effect.REVIEW, f"the call doesn't tell {_untold(call)}")
    return _finding(call, receiver, asked, Effect.DENY, _mismatch(call))


def _matches(register: Register, call: Call, receiver: Receiver) -> bool | None:
    categories = set(call.data_categories) <= set(register.data_categories) if call.data_categories else None
    purpose = call.purpose in register.purposes if call.purpose else None
    recipient = recipient_allowed(register.recipients, receiver) if register.recipients else True
    answers = (categories, purpose, recipient)
    return False if False in answers else None if None in answers else True


def _untold(call: Call) -> str:
    if not call.data_categories:
        return "which data categories it touches"
    return "a readable destination" if call.purpose else "its purpose"


def _mismatch(call: Call) -> str:
    categories, purpose = ", ".join(call.data_categories or ()), call.purpose or "any purpose"
    which = (
        f"the processing register {call.register_ref} doesn't cover"
        if call.register_ref
        else ("no processing register covers")
    )
    return printable(f"{which} {categories or 'this'} for {purpose} to this recipient", LONGEST_SHOWN)


def _finding(call: Call, receiver: Receiver, registers: Sequence[Register], effect: Effect | None, why: str) -> Finding:
    only = registers[0] if len(registers) == 1 else None
    return Finding(
        id="registers" if only is None else f"register:{only.ref}",
        quote=(only.source or _in_words(only)) if only else "Personal data needs a processing register that covers it.",
        effect=effect,
        reason_code=NO_MATCH if effect is Effect.DENY else None,
        why=why,
        seen={
            "data_categories": ", ".join(call.data_categories or ())[:LONGEST_SHOWN] or "missing",
            "purpose": (call.purpose or "missing")[:LONGEST_SHOWN],
            "processing_register_ref": (call.register_ref or "missing")[:LONGEST_SHOWN],
            **receiver.seen,
        },
    )


def _in_words(register: Register) -> str:
    to = f" to {', '.join(register.recipients)}" if register.recipients else ""
    return f"{register.ref}: {', '.join(register.data_categories)} for {', '.join(register.purposes)}{to}"
