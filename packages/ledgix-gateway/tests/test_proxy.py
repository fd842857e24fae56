"""What an approved call looks like to the tool, to the caller and to the Vault."""

from __future__ import annotations

from gateway_testing import BODY, REFUND, RunningGateway, code


def test_an_approved_call_goes_through_once(gateway: RunningGateway) -> None:
    token = gateway.token()
    answer = gateway.refund(token)
    assert (answer.status_code, answer.content) == (200, b'{"ok":true}'), answer.text
    assert answer.headers["x-ledgix-outcome"] == "delivered"
    (seen,) = gateway.tool.seen
    assert (seen.method, seen.path, seen.body) == ("POST", REFUND.encode(), BODY)
    again = gateway.refund(token)
    assert (again.status_code, code(again)) == (409, "token_already_consumed")
    assert len(gateway.tool.seen) == 1
