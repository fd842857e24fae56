"""Contract sections 2 and 5: what people decide, what they see of it, and the settings."""

from __future__ import annotations

from running_vault import Tenant, succeeded
from wire import LARGE, MEDIUM, SMALL, TOOL, problem, well_formed

# Reviews and time


def test_approved_in_review(refunds: Tenant) -> None:
    """The decision carries no token; the first answer to the asker hands it out, and every other repeats it."""
    asked = refunds.agent.ask(TOOL, MEDIUM)
    decided = succeeded(refunds.reviewer.decide(asked["request_id"], approved=True, reason="good customer"))
    assert (decided["status"], decided["token"], decided["outcome"]) == ("approved", None, "approved")
    first, second = (refunds.agent.get(f"/clearance-status/{asked['request_id']}") for _ in range(2))
    assert first.content == second.content
    answer = well_formed(first.json())
    assert answer["reason"] == "good customer"
    assert answer["policy_version_id"] is None  # clients cache by it, and this can't be minted again
    assert answer["decided_policy_version_id"] == asked["decided_policy_version_id"]


def test_the_same_verdict_again_and_the_opposite(refunds: Tenant) -> None:
    for approved in (True, False):
        asked = refunds.agent.ask(TOOL, MEDIUM)
        first = succeeded(refunds.reviewer.decide(asked["request_id"], approved=approved, reason="one"))
        assert succeeded(refunds.reviewer.decide(asked["request_id"], approved=approved, reason="two")) == first
        opposite = refunds.reviewer.decide(asked["request_id"], approved=not approved)
        problem(opposite, 409, "review_already_decided")
    assert len(refunds.events("review.decided")) == 2


def test_denied_in_review(refunds: Tenant) -> None:
    asked = refunds.agent.ask(TOOL, MEDIUM)
    answer = succeeded(refunds.reviewer.decide(asked["request_id"], approved=False, reason="too much"))
    well_formed(answer)
    assert (answer["status"], answer["reason_code"], answer["reason"]) == ("denied", "review_denied", "too much")
    assert refunds.agent.status(asked["request_id"]) == answer


def test_what_rules_decided_is_no_review(refunds: Tenant) -> None:
    for args in (SMALL, LARGE):
        asked = refunds.agent.ask(TOOL, args)
        for approved in (True, False):
            refused = refunds.reviewer.decide(asked["request_id"], approved=approved)
            problem(refused, 409, "review_already_decided")


def test_used(refunds: Tenant) -> None:
    asked = refunds.agent.ask(TOOL, SMALL)
    succeeded(refunds.gateway.consume(asked["token"]))
    answer = well_formed(refunds.agent.status(asked["request_id"]))
    assert (answer["status"], answer["reason_code"], answer["outcome"]) == ("denied", "approval_used", "approved")


def test_an_approval_cannot_override_a_rule_that_denies_by_now(refunds: Tenant) -> None:
    asked = refunds.agent.ask(TOOL, MEDIUM)
    refunds.register("stop", rules=["Refunds must not exceed $10"], tools=[TOOL])
    problem(refunds.reviewer.decide(asked["request_id"], approved=True), 409, "policy_changed")
    assert refunds.agent.status(asked["request_id"])["status"] == "pending_review"
    assert succeeded(refunds.reviewer.decide(asked["request_id"], approved=False))["outcome"] == "denied"


def test_a_quorum(refunds: Tenant) -> None:
    refunds.set_reviews(quorum=2)
    asked = refunds.agent.ask(TOOL, MEDIUM)
    for _ in range(2):  # the same reviewer twice is one
        assert succeeded(refunds.reviewer.decide(asked["request_id"], approved=True))["status"] == "pending_review"
    assert succeeded(refunds.full.decide(asked["request_id"], approved=True))["status"] == "approved"
    assert refunds.agent.status(asked["request_id"])["token"]


def test_changed_arguments(refunds: Tenant) -> None:
    """Only for a client that said that it runs what the answer carries; never beyond a rule."""
    plain = refunds.agent.ask(TOOL, MEDIUM)["request_id"]
    refused = refunds.reviewer.decide(plain, approved=True, effective_args={"amount": 400})
    problem(refused, 422, "client_cannot_change_args")
    asked = refunds.agent.ask(TOOL, MEDIUM, accepts=["changed_args"])["request_id"]
    for args, status, code in (({"amount": 4000}, 409, "policy_changed"), ([], 422, "invalid")):
        problem(refunds.reviewer.decide(asked, approved=True, effective_args=args), status, code)
    refused = refunds.reviewer.decide(asked, approved=False, effective_args={"amount": 400})
    assert problem(refused, 422, "invalid")["path"] == "$.effective_args"
    answer = succeeded(refunds.reviewer.decide(asked, approved=True, effective_args={"amount": 400}))
    assert answer["effective_args"] == {"amount": 400}
    answer = well_formed(refunds.agent.status(asked))
    problem(refunds.gateway.consume(answer["token"], tool_args=MEDIUM), 403, "token_args_mismatch")
    succeeded(refunds.gateway.consume(answer["token"], tool_args={"amount": 400}))
    assert refunds.events("review.decided")[0]["tool_args"] == {"amount": 400}
    again = refunds.reviewer.decide(asked, approved=True)  # not the same decision
    problem(again, 409, "review_already_decided")


def test_changed_to_no_arguments_at_all(refunds: Tenant) -> None:
    refunds.register("any", definition="rules: [{id: ask, effect: review, when: []}]", tools=["ping"])
    asked = refunds.agent.ask("ping", {"host": "a"}, accepts=["changed_args"])["request_id"]
    assert succeeded(refunds.reviewer.decide(asked, approved=True, effective_args={}))["effective_args"] == {}
    token = refunds.agent.status(asked)["token"]
    problem(refunds.gateway.consume(token, tool_args={"host": "a"}), 403, "token_args_mismatch")
    succeeded(refunds.gateway.consume(token, tool_args={}))
    assert refunds.events("review.decided")[0]["tool_args"] == {}


# The list of reviews


def test_reviews_newest_first_page_by_page(refunds: Tenant) -> None:
    asked = [refunds.agent.ask(TOOL, {"amount": 101 + i})["request_id"] for i in range(5)]
    pages, cursor = [], ""
    while True:
        page = refunds.reviewer.read("/reviews", limit=2, cursor=cursor)
        pages.append([review["request_id"] for review in page["reviews"]])
        if not (cursor := page["next_cursor"]):
            break
    assert [len(page) for page in pages] == [2, 2, 1]
    assert [request_id for page in pages for request_id in page] == asked[::-1]
    first = refunds.reviewer.read("/reviews")["reviews"][-1]
    assert (first["tool_name"], first["tool_args"]) == (TOOL, {"amount": 101})


def test_reviews_by_status(refunds: Tenant) -> None:
    ids = [refunds.agent.ask(TOOL, MEDIUM)["request_id"] for _ in range(4)]
    succeeded(refunds.reviewer.decide(ids[0], approved=True))
    succeeded(refunds.reviewer.decide(ids[1], approved=False))
    succeeded(refunds.agent.decide(ids[2], approved=False))
    for status, expected in (
        ("approved", ids[:1]),
        ("denied", ids[1:2]),
        ("cancelled", ids[2:3]),
        ("pending", ids[3:]),
        ("expired", []),
        ("any", ids[::-1]),
    ):
        found = refunds.reviewer.read("/reviews", status=status)["reviews"]
        assert [review["request_id"] for review in found] == expected
    assert problem(refunds.reviewer.get("/reviews", status="open"), 422, "invalid")["path"] == "status"
    assert problem(refunds.reviewer.get("/reviews", cursor="x"), 422, "invalid")["path"] == "cursor"


def test_no_list_or_decision_carries_a_token(refunds: Tenant) -> None:
    asked = refunds.agent.ask(TOOL, MEDIUM)
    decided = refunds.reviewer.decide(asked["request_id"], approved=True)
    token = refunds.agent.status(asked["request_id"])["token"]
    replays = [
        decided,
        refunds.reviewer.decide(asked["request_id"], approved=True),
        refunds.reviewer.get("/reviews", status="any"),
        refunds.full.get("/ledger"),
        refunds.full.get("/ledger/proof/bundle", request_id=asked["request_id"]),
    ]
    for response in replays:
        assert token not in response.text
        assert token.split(".")[2] not in response.text


# Settings


def test_review_settings(tenant: Tenant) -> None:
    settings = tenant.full.read("/review-settings")
    assert settings["minimum_confidence_bucket"] == "high"
    changed = tenant.set_reviews(quorum=3)
    assert changed == {**settings, "quorum": 3}
    assert tenant.full.read("/review-settings") == changed
    assert tenant.set_reviews(unknown=1) == changed
    (event,) = tenant.events("settings.changed")
    assert event["action_metadata"] == {"before": settings, "after": changed}
    for name, wrong in (
        ("minimum_confidence_bucket", "perfect"),
        ("minimum_confidence_bucket", None),
        ("quorum", 0),
        ("quorum", True),
        ("quorum", "2"),
        ("review_expiry_seconds", -1),
        ("separation_of_duties", "yes"),
        ("default_verdict", "approve"),
    ):
        refused = tenant.full.put("/review-settings", {name: wrong})
        assert problem(refused, 422, "invalid")["path"] == f"$.{name}"
    assert tenant.full.read("/review-settings") == changed
