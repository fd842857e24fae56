"""The review queue, newest or oldest first."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from ledgix.formats.json import JsonObject
from ledgix_vault.errors import Invalid
from ledgix_vault.ids import is_id
from ledgix_vault.operations.steps.reviews import review_items
from ledgix_vault.reviews.review import ReviewStatus
from ledgix_vault.store.clearances import list_reviews as stored_reviews
from ledgix_vault.store.engine import Connection
from ledgix_vault.tenancy.callers import Caller
from ledgix_vault.tenancy.scopes import Scope
from ledgix_vault.vault import Vault

MOST = 500


class ReviewOrder(StrEnum):
    """By when they were opened."""

    NEWEST = "newest"
    OLDEST = "oldest"


@dataclass(frozen=True, slots=True)
class ReviewPage:
    """One page; `next_cursor` is "" on the last."""

    reviews: list[JsonObject]
    next_cursor: str


async def list_reviews(
    vault: Vault,
    caller: Caller,
    *,
    status: ReviewStatus | None,
    limit: int,
    cursor: str,
    order: ReviewOrder = ReviewOrder.NEWEST,
) -> ReviewPage:
    """Reviews of the caller's tenant with what a reviewer has to know and may do; `limit` is clamped to 1–500. A cursor
    goes on in the order that is asked for."""
    caller.require(Scope.REVIEW)
    limit = max(1, min(limit, MOST))
    after = _read_cursor(cursor)
    state, now = vault.store.tenant(caller.tenant_id), vault.clock()

    def read(connection: Connection) -> ReviewPage:
        found = stored_reviews(
            connection,
            caller.tenant_id,
            status=status,
            now=now,
            after=after,
            oldest_first=order is ReviewOrder.OLDEST,
            limit=limit + 1,
        )
        page = found[:limit]
        last = page[-1][1] if len(found) > limit else None
        return ReviewPage(
            reviews=review_items(connection, caller, state, page, now),
            next_cursor=f"{last.opened_at}_{last.request_id}" if last else "",
        )

    return await vault.store.read(read)


def _read_cursor(cursor: str) -> tuple[int, str] | None:
    if not cursor:
        return None
    opened_at, _, request_id = cursor.partition("_")
    if not (opened_at.isascii() and opened_at.isdigit() and len(opened_at) <= 18 and is_id(request_id)):
        raise Invalid("is not a cursor that this list gave", path="cursor")
    return int(opened_at), request_id
