"""The OpenAPI description is true: generated requests get no 5xx, and answers have the form that it promises."""

from __future__ import annotations

from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

from running_vault import Tenant

OPERATIONS = [
    "POST /request-clearance",
    "GET /clearance-status/{request_id}",
    "POST /mint-token",
    "POST /consume-token",
    "GET /health",
    "GET /ready",
    "GET /.well-known/jwks.json",
    "POST /register-policy",
    "POST /policies/{policy_id}/simulate",
    "POST /clearance-dry-run",
    "POST /policies/understand",
    "GET /policies",
    "GET /policies/{policy_id}",
    "GET /policies/{policy_id}/versions",
    "POST /policies/{policy_id}/versions",
    "GET /policies/{policy_id}/versions/{number}",
    "POST /policies/{policy_id}/versions/{number}/confirm",
    "POST /policies/{policy_id}/versions/{number}/activate",
    "POST /policies/{policy_id}/versions/{number}/shadow",
    "POST /policies/{policy_id}/versions/{number}/retire",
    "POST /policies/{policy_id}/rollback",
    "GET /policies/{policy_id}/diff",
    "GET /policies/{policy_id}/shadow-report",
    "GET /tool-schemas",
    "GET /tool-schemas/{tool_name}",
    "PUT /tool-schemas/{tool_name}",
    "POST /outcomes",
    "POST /outcomes/batch",
    "GET /limits",
    "POST /tool-schemas/import",
    "POST /documents",
    "GET /documents",
    "GET /documents/search",
    "POST /documents/confluence",
    "GET /documents/{document_id}",
    "DELETE /documents/{document_id}",
    "GET /documents/{document_id}/versions/{version}",
    "GET /documents/{document_id}/versions/{version}/text",
    "GET /documents/{document_id}/versions/{version}/original",
    "GET /confluence-settings",
    "PUT /confluence-settings",
    "GET /reviews",
    "GET /reviews/counts",
    "POST /reviews/decisions",
    "GET /reviews/{request_id}",
    "GET /reviews/{request_id}/similar",
    "POST /reviews/{request_id}/second-reviewer",
    "POST /reviews/{request_id}/decision",
    "GET /requests",
    "GET /requests/{request_id}",
    "GET /overview",
    "GET /notification-settings",
    "PUT /notification-settings",
    "POST /notification-settings/test",
    "POST /notification-settings/webhooks/{webhook_id}/rotate-secret",
    "GET /notification-deliveries",
    "GET /judge-settings",
    "PUT /judge-settings",
    "GET /single-sign-on",
    "PUT /single-sign-on",
    "GET /review-settings",
    "GET /review-settings/preview",
    "PUT /review-settings",
    "GET /suspensions",
    "POST /suspensions",
    "POST /suspensions/{suspension_id}/release",
    "GET /members",
    "POST /members/invitations",
    "DELETE /members/invitations/{invitation_id}",
    "PUT /members/{person_id}",
    "DELETE /members/{person_id}",
    "GET /api-keys",
    "POST /api-keys",
    "POST /api-keys/{key_id}/rotate",
    "POST /api-keys/{key_id}/revoke",
    "DELETE /api-keys/{key_id}",
    "GET /events",
    "GET /ledger",
    "GET /ledger/checkpoints",
    "GET /ledger/verify",
    "GET /ledger/proof/inclusion",
    "GET /ledger/proof/bundle",
    "GET /ledger/proof/consistency",
]


@pytest.fixture(scope="module")
def operations(module_tenant: Tenant) -> dict[str, Any]:
    schema = schemathesis.openapi.from_url(f"{module_tenant.url}/openapi.json")
    return {operation.ok().label: operation.ok() for operation in schema.get_all_operations()}


def test_no_operation_is_forgotten(operations: dict[str, Any]) -> None:
    assert set(operations) == set(OPERATIONS)


# What JSON Schema can't say of a request (numbers by value, one of two parameters) and what the contract wants (unknown
# fields are ignored) are no errors of the description.
NOT_CHECKED = [positive_data_acceptance, negative_data_rejection]
ANY = list(HealthCheck)
ENDLESS = {"GET /events"}  # has tests of its own
NOTHING_TO_GET_WRONG = {"GET /health", "GET /ready", "GET /.well-known/jwks.json"}


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
@pytest.mark.parametrize("label", [label for label in OPERATIONS if label not in ENDLESS])
def test_generated_requests(
    operations: dict[str, Any], module_tenant: Tenant, label: str, mode: GenerationMode
) -> None:
    if mode is GenerationMode.NEGATIVE and label in NOTHING_TO_GET_WRONG:
        return

    key = {"X-Vault-API-Key": module_tenant.full.secret}
    takes_something = {"parameters", "requestBody"} & operations[label].definition.raw.keys()
    examples = 10 if takes_something else 2

    @given(case=operations[label].as_strategy(generation_mode=mode))
    @settings(
        max_examples=examples, derandomize=True, deadline=None, phases=[Phase.generate], suppress_health_check=ANY
    )
    def send(case: Any) -> None:
        case.call_and_validate(headers=key, excluded_checks=NOT_CHECKED)

    send()
