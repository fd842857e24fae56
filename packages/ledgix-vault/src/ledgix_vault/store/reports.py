"""Reported outcomes as rows: one for each approval."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, bindparam, select, update

from ledgix.formats import json
from ledgix_vault.clearance.clearance import Clearance
from ledgix_vault.clearance.reports import Report, Reported
from ledgix_vault.jsontext import encode_text
from ledgix_vault.store import schema
from ledgix_vault.store.clearances import find_clearance
from ledgix_vault.store.unit import Row, Unit

_O = schema.outcome_report
_BY_ID = select(_O).where(_O.c.tenant_id == bindparam("tenant"), _O.c.request_id == bindparam("request"))


def report_row(report: Report) -> Row:
    """The row of a report, in the order of the table's columns."""
    return (
        report.tenant_id,
        report.request_id,
        str(report.outcome),
        encode_text(report.detail),
        report.reported_at,
        report.reported_by,
        report.retried_as,
    )


def find_report(connection: Connection, tenant_id: str, request_id: str) -> Report | None:
    """What was reported of the tenant's request, or None."""
    row = connection.execute(_BY_ID, {"tenant": tenant_id, "request": request_id}).one_or_none()
    return None if row is None else report_of_row(row)


def find_reported(connection: Connection, tenant_id: str, request_id: str) -> tuple[Clearance, Report]:
    """A clearance of which something was reported, with the report."""
    clearance = find_clearance(connection, tenant_id, request_id)
    report = find_report(connection, tenant_id, request_id)
    assert clearance is not None
    assert report is not None
    return clearance, report


def claim_retry(unit: Unit, report: Report, retry_id: str) -> bool:
    """Writes that the request `retry_id` is the retry of this call, if it has none and its outcome is unknown."""
    changed = unit.write(
        update(_O)
        .where(
            _O.c.tenant_id == report.tenant_id,
            _O.c.request_id == report.request_id,
            _O.c.outcome == str(Reported.UNKNOWN),
            _O.c.retried_as.is_(None),
        )
        .values(retried_as=retry_id)
    )
    return changed == 1


def report_of_row(row: Any) -> Report:
    """The report that a row is."""
    return Report(
        tenant_id=row.tenant_id,
        request_id=row.request_id,
        outcome=Reported(row.outcome),
        detail=str(json.parse(row.detail.encode())),
        reported_at=row.reported_at,
        reported_by=row.reported_by,
        retried_as=row.retried_as,
    )
