"""What the client in the field makes of our bundles, entries and checkpoints: it shares no code with ours."""

from typing import Any

import pytest
from ledgix_python import LedgixClient, VaultConfig
from ledgix_python.models import LedgerCheckpoint, LedgerEntry, LedgerProofBundle

from ledgix.formats import json
from ledgix.formats.events import redact


@pytest.fixture(scope="module")
def client() -> LedgixClient:
    return LedgixClient(VaultConfig(vault_url="http://vault.invalid", vault_api_key="unused"))


def test_it_computes_the_same_event_hash(client: LedgixClient, log: Any) -> None:
    for index in range(len(log.events)):
        entry = log.entry(index)
        assert client._build_event_hash(LedgerEntry.model_validate_json(json.dumps(entry))) == entry["event_hash"]


@pytest.mark.parametrize("redacted", [False, True])
def test_it_accepts_our_bundles(client: LedgixClient, log: Any, redacted: bool) -> None:
    for index in range(len(log.events)):
        wire = log.bundle(index)
        if redacted:
            wire["event"] = redact(wire["event"])
        result = client._verify_ledger_proof_bundle(LedgerProofBundle.model_validate_json(json.dumps(wire)))
        assert (result.intact, result.error) == (True, None)
        assert result.latest_checkpoint_hash == log.checkpoints[-1].checkpoint_hash
        assert result.verified_checkpoints == (2 if index < 5 else 1)


def test_it_accepts_our_whole_log(client: LedgixClient, log: Any) -> None:
    entries = [LedgerEntry.model_validate_json(json.dumps(log.entry(index))) for index in range(len(log.events))]
    checkpoints = [LedgerCheckpoint.model_validate_json(json.dumps(found.to_json())) for found in log.checkpoints]
    result = client._verify_ledger_proof(entries, checkpoints, [log.key.public.jwk()])
    assert (result.intact, result.error, result.coverage_note) == (True, None, None)
    assert result.verified_entries == len(entries)


def test_it_refuses_an_altered_entry(client: LedgixClient, log: Any) -> None:
    wire = log.bundle(0)
    wire["event"] = wire["event"] | {"tool_args": {"amount": 46}}
    result = client._verify_ledger_proof_bundle(LedgerProofBundle.model_validate_json(json.dumps(wire)))
    assert (result.intact, result.error) == (False, "Ledger event hash mismatch in proof bundle")
