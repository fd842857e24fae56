"""The tenant's log as the Vault shows it: entries, checkpoints, proofs.

What the Vault says about itself (`LedgerVerification`) is a convenience. Evidence is a proof bundle, verified here by
`ledgix.verify`, which needs nothing from the Vault.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import TypeVar

from ledgix.client.errors import AnswerInvalid, ArgumentsError
from ledgix.client.exchange import Exchange
from ledgix.client.flow import Flow
from ledgix.client.reading import Members, parse
from ledgix.errors import FormatError
from ledgix.formats.bundles import Bundle, ConsistencyProof, InclusionProof
from ledgix.formats.checkpoints import Checkpoint
from ledgix.formats.json import JsonObject
from ledgix.verify import BundleReport, verify_bundle

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """One entry, redacted or full, depending on the key's scopes; `answer` holds all members of contract section 6."""

    seq: int
    event_uuid: str
    request_id: str
    kind: str
    tool_name: str
    approved: bool
    accepted_at: str
    event_hash: str
    leaf_hash: str
    answer: JsonObject = field(repr=False)


@dataclass(frozen=True, slots=True)
class LedgerVerification:
    """The Vault's own verdict on its whole log."""

    intact: bool
    verified_entries: int
    verified_checkpoints: int
    latest_leaf_hash: str | None
    latest_checkpoint_hash: str | None
    error: str | None


@dataclass(frozen=True, slots=True)
class ProofBundle:
    """`raw` is the file to keep: `ledgix verify` reads it offline. `report` is there when it was verified here."""

    raw: bytes = field(repr=False)
    bundle: Bundle = field(repr=False)
    report: BundleReport | None


def read_entries(answer: JsonObject) -> tuple[LedgerEntry, ...]:
    return tuple(_entry(item) for item in Members(answer, "ledger").objects("entries"))


def _entry(answer: JsonObject) -> LedgerEntry:
    said = Members(answer, "ledger entry")
    return LedgerEntry(
        seq=said.integer("seq"),
        event_uuid=said.text("event_uuid"),
        request_id=said.text("request_id"),
        kind=said.text_or("kind", ""),
        tool_name=said.text("tool_name"),
        approved=said.boolean("approved"),
        accepted_at=said.text("accepted_at"),
        event_hash=said.text("event_hash"),
        leaf_hash=said.text("leaf_hash"),
        answer=answer,
    )


def read_checkpoints(answer: JsonObject) -> tuple[Checkpoint, ...]:
    said = Members(answer, "checkpoints")
    try:
        return tuple(Checkpoint.from_json(item) for item in said.objects("checkpoints"))
    except FormatError as error:
        raise said.invalid("checkpoints", f"holds one that is none: {error}") from error


def read_verification(answer: JsonObject) -> LedgerVerification:
    said = Members(answer, "ledger verification")
    return LedgerVerification(
        intact=said.boolean("intact"),
        verified_entries=said.integer("verified_entries"),
        verified_checkpoints=said.integer("verified_checkpoints"),
        latest_leaf_hash=said.text_or_none("latest_leaf_hash"),
        latest_checkpoint_hash=said.text_or_none("latest_checkpoint_hash"),
        error=said.text_or_none("error"),
    )


def _format(what: str, parse_with: Callable[[JsonObject], T]) -> Callable[[JsonObject], T]:
    """A reader for an answer that is, as a whole, one of `ledgix.formats`."""

    def read(answer: JsonObject) -> T:
        try:
            return parse_with(answer)
        except FormatError as error:
            raise AnswerInvalid(f"the Vault's answer ({what}) breaks the contract: {error}") from error

    return read


read_inclusion = _format("inclusion proof", InclusionProof.from_json)
read_consistency = _format("consistency proof", ConsistencyProof.from_json)
read_bundle = _format("proof bundle", Bundle.from_json)


@dataclass(frozen=True, slots=True)
class LedgerView:
    exchange: Exchange

    def entries(self, limit: int) -> Flow[tuple[LedgerEntry, ...]]:
        return self.exchange.read(self.exchange.build.get("/ledger", limit=limit), read_entries)

    def checkpoints(self, limit: int) -> Flow[tuple[Checkpoint, ...]]:
        return self.exchange.read(self.exchange.build.get("/ledger/checkpoints", limit=limit), read_checkpoints)

    def verification(self) -> Flow[LedgerVerification]:
        return self.exchange.read(self.exchange.build.get("/ledger/verify"), read_verification)

    def inclusion(self, request_id: str | None, event_uuid: str | None) -> Flow[InclusionProof]:
        path = "/ledger/proof/inclusion"
        get = self.exchange.build.get(path, **_selected(request_id, event_uuid))
        return self.exchange.read(get, read_inclusion)

    def consistency(self, from_checkpoint: int, to_checkpoint: int) -> Flow[ConsistencyProof]:
        query = {"from": from_checkpoint, "to": to_checkpoint}
        return self.exchange.read(self.exchange.build.get("/ledger/proof/consistency", **query), read_consistency)

    def bundle(
        self, request_id: str | None, event_uuid: str | None, *, verify: bool, pinned_keys: Collection[str]
    ) -> Flow[ProofBundle]:
        """With `verify`, raises VerificationError naming the step unless the evidence holds, and is what was asked."""
        get = self.exchange.build.get("/ledger/proof/bundle", **_selected(request_id, event_uuid))
        reply = yield from self.exchange.send(get)
        bundle = read_bundle(parse(reply.body))
        for name, asked in _selected(request_id, event_uuid).items():
            if bundle.event.get(name) != asked:
                raise AnswerInvalid(f"the Vault's proof bundle is about another event than the one asked for ({name})")
        report = verify_bundle(reply.body, pinned_keys=pinned_keys) if verify else None
        return ProofBundle(reply.body, bundle, report)


def _selected(request_id: str | None, event_uuid: str | None) -> dict[str, str]:
    if (request_id is None) == (event_uuid is None):
        raise ArgumentsError("name either a request_id or an event_uuid")
    return {"request_id": request_id} if request_id is not None else {"event_uuid": str(event_uuid)}
