"""Why a document can't be taken in. Inside the child it is an exception, on the way out a code and a sentence."""

from __future__ import annotations

from enum import StrEnum


class RefusalCode(StrEnum):
    """A closed set; on the wire with the prefix `document_`."""

    UNREADABLE = "unreadable"
    OTHER_TYPE = "other_type"
    EMPTY = "empty"
    NO_TEXT_LAYER = "no_text_layer"
    ENCRYPTED = "encrypted"
    BOMB = "bomb"
    ENTITIES = "entities"
    TOO_LONG = "too_long"
    TOO_COSTLY = "too_costly"


class DocumentError(Exception):
    """This document can't be taken in; nothing of it is kept."""

    def __init__(self, code: RefusalCode, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
