"""The turns of phrase that sentences are made of, as pieces of patterns. Every pattern must match a whole clause."""

from __future__ import annotations

from typing import Final

MUST: Final = r"(?:must(?: always)?|shall(?: always)?|has to|have to)"
MUST_NOT: Final = (
    r"(?:must(?: not|n't| never)|may(?: not| never)|shall(?: not| never)|can(?:not| not|'t| never)"
    r"|(?:is|are) not(?: allowed| permitted)? to|(?:is|are) never(?: allowed| permitted)? to)"
)
OVER: Final = (
    r"(?:over|above|more than|greater than|higher than|larger than|in excess of|exceeding|(?:that|which) exceeds?)"
)
UNDER: Final = r"(?:under|below|less than|lower than|smaller than)"
AT_MOST: Final = (
    r"(?:at most|no more than|not more than|no greater than|no higher than|no larger than|less than or equal to"
    r"|at or below|up to|a maximum of)"
)
AT_LEAST: Final = (
    r"(?:at least|no less than|not less than|no lower than|greater than or equal to|at or above|a minimum of)"
)
OR_MORE: Final = r"or (?:more|above|higher|over|greater)"
OR_LESS: Final = r"or (?:less|below|lower|under)"

_PERSON: Final = r"(?:a |an )?(?:human(?: being)?|person|(?:human )?reviewer)"
_BE: Final = r"(?:is|are|will be|must(?: always)? be|shall(?: always)? be|has to be|have to be|needs? to be)"
_REVIEW: Final = rf"(?:an? )?(?:(?:human|manual) )?(?:review|approval)(?: (?:by|from) {_PERSON})?"
REVIEW_NOUN: Final = _REVIEW
IS_REVIEWED: Final = (
    rf"(?:(?:always )?(?:needs?|requires?|must have|must get) {_REVIEW}"
    rf"|{_BE} (?:manually )?reviewed(?: by {_PERSON})?"
    rf"|{_BE} (?:manually approved|approved by {_PERSON})"
    rf"|(?:is|are|must be) subject to {_REVIEW}"
    rf"|(?:goes|go|must go|is sent|are sent|must be sent) to (?:{_PERSON}|(?:(?:human|manual) )?review))"
)
IS_DENIED: Final = (
    rf"(?:{_BE} (?:always )?(?:denied|rejected|blocked|refused|declined|forbidden|prohibited)"
    r"|(?:is|are) (?:not|never) (?:allowed|permitted|accepted)"
    r"|must (?:not|never) be (?:allowed|permitted|approved|accepted|made|issued|processed))"
)
IS_ALLOWED: Final = (
    r"(?:(?:is|are|can be|may be) (?:automatically )?(?:allowed|approved|permitted|accepted)"
    r"(?: automatically| without (?:a )?(?:(?:human|manual) )?(?:review|approval))?"
    r"|(?:needs?|requires?) no (?:(?:human|manual) )?(?:review|approval)"
    r"|(?:do|does) not (?:need|require) (?:a |an )?(?:(?:human|manual) )?(?:review|approval))"
)
IS_GIVEN: Final = r"(?:present|provided|given|set|specified|included|supplied|filled in|non-empty|not empty)"
IS_BLANK: Final = r"(?:missing|empty|blank|null|absent|left out|omitted)"
CARRY: Final = r"(?:include|contain|have|carry|specify|provide|name|state)"
NEVER: Final = r"(?:never|do not|don't)"
DO: Final = r"(?:approve|issue|make|process|allow|accept|send|permit)"
EACH: Final = r"(?:per|for each|for every|for any|for all|for|in a single|in one)"
FINE: Final = r"(?:allowed|permitted|accepted)"
IS_APPROVED: Final = (
    r"(?:(?:is|are) (?:automatically approved|approved automatically|auto-approved)"
    r"|(?:is|are) approved without (?:a )?(?:(?:human|manual) )?review)"
)
