"""What became of one attempt to send."""

from __future__ import annotations

from dataclasses import dataclass

LONGEST_ANSWER = 500


@dataclass(frozen=True, slots=True)
class Reply:
    """`status` is the other side's, None where it couldn't be asked; `answer` are its first 500 characters, or why it
    couldn't be asked. `over`: asking again is of no use."""

    ok: bool
    status: int | None
    answer: str
    over: bool = False


def refusal(answer: str, status: int | None = None) -> Reply:
    """An attempt that came to nothing."""
    return Reply(False, status, answer[:LONGEST_ANSWER])
