"""A condition that can't be accepted."""

from __future__ import annotations


class ConditionError(Exception):
    """The text isn't a condition of our language; `offset` counts characters from 0 in the condition's text."""

    def __init__(self, message: str, offset: int = 0) -> None:
        super().__init__(message)
        self.message = message
        self.offset = offset
