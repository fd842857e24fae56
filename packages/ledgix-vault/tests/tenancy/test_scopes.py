"""Scopes and presets as the contract lists them (section 1)."""

import pytest

from ledgix_vault.tenancy.scopes import PRESETS, Preset, Scope

CONTRACT = {
    "agent": "clearance ledger",
    "gateway": "consume schemas",
    "reviewer": "review ledger ledger.full",
    "auditor": "ledger ledger.full report",
    "full": "clearance consume policy schemas review settings ledger ledger.full report",
}


@pytest.mark.parametrize("preset", CONTRACT)
def test_presets_are_those_of_the_contract(preset: str) -> None:
    assert {str(scope) for scope in PRESETS[preset]} == set(CONTRACT[preset].split())


def test_there_is_no_other_preset_and_no_scope_without_one() -> None:
    assert set(PRESETS) == set(Preset) == set(CONTRACT)
    assert frozenset().union(*PRESETS.values()) == set(Scope)


def test_presets_can_not_be_widened_by_accident() -> None:
    with pytest.raises(TypeError):
        PRESETS["agent"] = frozenset(Scope)  # type: ignore[index]
