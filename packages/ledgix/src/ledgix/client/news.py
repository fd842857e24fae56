"""Reading the Vault's stream of events about one request. Pure: lines in, a verdict out."""

from __future__ import annotations

from collections.abc import Mapping

from ledgix.client.flow import Follow
from ledgix.client.reading import parse
from ledgix.client.requests import RequestBuilder
from ledgix.errors import LedgixError

MEDIA_TYPE = "text/event-stream"
LONGEST_WAIT = 10.0
"""Seconds between two looks although a stream is followed: nobody depends on a stream alone."""
MOST_STREAMS = 20
"""So many waits of one client follow a stream at once; the others look at intervals, and connections stay free."""


def follow_request(build: RequestBuilder, request_id: str, seconds: float) -> Follow:
    """Everything that ever happened to a request and happens now, until it is settled."""
    get = build.get("/events", request_id=request_id, after=-1)
    request = type(get)(get.method, get.path, {**get.headers, "Accept": MEDIA_TYPE})
    return Follow(request, min(seconds, LONGEST_WAIT), is_settled)


def is_stream(status: int, headers: Mapping[str, str]) -> bool:
    """Whether an answer is a stream of events; any other one means that there is none to be had."""
    return status == 200 and headers.get("content-type", "").partition(";")[0].strip() == MEDIA_TYPE


def is_settled(line: str) -> bool:
    """Whether a line of the stream says that something was decided. What can't be read says nothing."""
    if not line.startswith("data:"):
        return False
    try:
        outcome = parse(line.removeprefix("data:").encode()).get("outcome")
    except LedgixError:
        return False
    return isinstance(outcome, str) and outcome != "pending"
