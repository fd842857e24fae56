"""What another threshold would have done: from what was recorded, whatever people did afterwards."""

from __future__ import annotations

import pytest
from vault_testing.house import APPROVED, DENIED, REVIEWED, TOOL, House

from ledgix.formats.confidence import ConfidenceBucket
from ledgix_vault.errors import MissingScope
from ledgix_vault.operations import preview_threshold as previewing
from ledgix_vault.operations.preview_threshold import DAYS, Preview, preview_threshold
from ledgix_vault.operations.register_policy import Registration, register_policy
from ledgix_vault.tenancy.scopes import Preset

pytestmark = pytest.mark.anyio
EXTRA, HIGH, NONE = ConfidenceBucket.EXTRA_HIGH, ConfidenceBucket.HIGH, ConfidenceBucket.NONE
DAY = 24 * 3600


def counted(preview: Preview) -> dict[ConfidenceBucket, tuple[int, int]]:
    return {each.minimum: (each.approved, each.reviewed) for each in preview.effects.thresholds}


async def register(vault: House, definition: str, tool: str = "sure") -> None:
    await register_policy(vault.core, vault.owner, Registration("r", "", (), (tool,), definition), None)


async def test_each_threshold_is_what_would_have_happened(vault: House) -> None:
    """The truth: the same calls, asked again under each threshold."""
    await register(vault, "otherwise: review\nrules:\n  - {id: a, effect: approve, when: [args.amount <= 100]}\n")

    async def week() -> dict[str, int]:
        outcomes: dict[str, int] = {}
        for tool, amounts in (
            ("stripe_refund", (APPROVED, 50, REVIEWED, DENIED)),
            ("sure", (1, 2, 500)),
            ("new", (1,)),
        ):
            for amount in amounts:
                answer = await vault.ask(amount, tool_name=tool)
                outcomes[answer["outcome"]] = outcomes.get(answer["outcome"], 0) + 1
        return outcomes

    await week()
    preview = await preview_threshold(vault.core, vault.owner)
    effects = preview.effects
    assert (effects.decided, effects.denials, preview.complete) == (8, 1, True)
    for minimum in ConfidenceBucket:
        await vault.change(minimum_confidence_bucket=str(minimum))
        truth = await week()
        approved, reviewed = counted(preview)[minimum]
        assert truth == {"approved": approved, "pending": reviewed + effects.other_reviews, "denied": 1}
    assert counted(preview)[EXTRA][0] < counted(preview)[HIGH][0]


async def test_what_people_did_afterwards_changes_nothing(vault: House) -> None:
    await vault.change(minimum_confidence_bucket="extra_high")
    low, sent = await vault.ask(APPROVED), await vault.ask(REVIEWED)
    before = counted(await preview_threshold(vault.core, vault.owner))
    assert low["reason_code"] == "low_confidence"
    assert (before[EXTRA], before[HIGH]) == ((0, 1), (1, 0))
    for asked, approved in ((low, True), (sent, False)):
        await vault.decide(asked, approved=approved, by=await vault.key(Preset.REVIEWER))
    preview = await preview_threshold(vault.core, vault.owner)
    assert counted(preview) == before
    assert preview.effects.other_reviews == 1


async def test_a_limit_sends_to_a_person_under_every_threshold(vault: House) -> None:
    await vault.change(minimum_confidence_bucket="extra_high")
    await register(
        vault,
        "otherwise: approve\nrules:\n  - {id: d, effect: deny, when: [args.amount > 1000]}\n"
        "limits:\n  - {id: once, window: ever, max: 1, effect: review}\n",
        TOOL,
    )
    for _ in range(2):
        assert (await vault.ask(APPROVED))["reason_code"] == "low_confidence"
    effects = (await preview_threshold(vault.core, vault.owner)).effects
    assert effects.other_reviews == 1
    assert effects.thresholds[-1].approved == 1


async def test_seven_days_and_no_further(vault: House) -> None:
    await vault.ask(APPROVED)
    vault.clock.advance(2 * DAY)
    await vault.ask(APPROVED)
    vault.clock.advance((DAYS - 1) * DAY)
    assert (await preview_threshold(vault.core, vault.owner)).effects.decided == 1
    vault.clock.advance(2 * DAY)
    assert (await preview_threshold(vault.core, vault.owner)).effects.decided == 0


async def test_the_newest_ones_of_too_many(vault: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(previewing, "MOST", 2)
    for amount in (DENIED, APPROVED, APPROVED):
        await vault.ask(amount)
    preview = await preview_threshold(vault.core, vault.owner)
    assert (preview.complete, preview.effects.decided, preview.effects.denials) == (False, 2, 0)


async def test_own_tenant_and_right(vault: House) -> None:
    await vault.ask(APPROVED)
    assert (await preview_threshold(vault.core, vault.stranger)).effects.decided == 0
    with pytest.raises(MissingScope):
        await preview_threshold(vault.core, await vault.key(Preset.AUDITOR))
