"""The ledger: entries, checkpoints, proofs, and the check of the whole log."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from ledgix.formats.json import Json
from ledgix_vault.operations.read_ledger import (
    Wanted,
    list_checkpoints,
    list_entries,
    prove_bundle,
    prove_consistency,
    prove_inclusion,
)
from ledgix_vault.operations.verify_ledger import verify_ledger
from ledgix_vault.web.api.context import Caller, TheVault, TheWorker, exact_json
from ledgix_vault.web.api.shapes import answers

router = APIRouter(prefix="/ledger", tags=["Ledger"])
CheckpointId = Annotated[int, Query(ge=1, le=2**53 - 1)]


@router.get("", **answers("LedgerEntries"))
async def get_ledger(vault: TheVault, caller: Caller, limit: int = 100) -> Response:
    """The newest entries, newest first. Without the scope `ledger.full` protected fields are empty."""
    found: list[Json] = list(await list_entries(vault, caller, limit))
    return exact_json({"entries": found})


@router.get("/checkpoints", **answers("Checkpoints"))
async def get_checkpoints(vault: TheVault, caller: Caller, limit: int = 24) -> Response:
    """The newest signed checkpoints, newest first."""
    found: list[Json] = list(await list_checkpoints(vault, caller, limit))
    return exact_json({"checkpoints": found})


@router.get("/verify", **answers("LedgerCheck"))
async def get_verify(vault: TheVault, caller: Caller) -> Response:
    """Re-derive every hash, receipt and checkpoint of the whole log."""
    return exact_json(await verify_ledger(vault, caller))


@router.get("/proof/inclusion", **answers("InclusionProof", 404, 422, 429))
async def get_inclusion(
    vault: TheVault, worker: TheWorker, caller: Caller, request_id: str = "", event_uuid: str = ""
) -> Response:
    """The proof that the newest decision about a request (or one event) is in the log."""
    return exact_json(await prove_inclusion(vault, caller, Wanted(request_id, event_uuid), worker.sign_now))


@router.get("/proof/bundle", **answers("ProofBundle", 404, 422, 429))
async def get_bundle(
    vault: TheVault, worker: TheWorker, caller: Caller, request_id: str = "", event_uuid: str = ""
) -> Response:
    """Everything that an auditor needs to check one event offline: save it and run `ledgix verify`."""
    return exact_json(await prove_bundle(vault, caller, Wanted(request_id, event_uuid), worker.sign_now))


@router.get("/proof/consistency", **answers("ConsistencyProof", 404, 422))
async def get_consistency(
    vault: TheVault,
    caller: Caller,
    from_id: Annotated[CheckpointId, Query(alias="from")],
    to_id: Annotated[CheckpointId, Query(alias="to")],
) -> Response:
    """The proof that the log at checkpoint `to` extends the log at checkpoint `from`."""
    return exact_json(await prove_consistency(vault, caller, from_id, to_id))
