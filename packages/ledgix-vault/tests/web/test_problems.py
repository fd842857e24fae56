"""Every error has an answer of RFC 9457, and the answer tells callers what helps them, not what is ours."""

import json
from collections.abc import Iterator

import pytest
from fastapi import FastAPI, Query
from pydantic import BaseModel
from starlette.testclient import TestClient

from ledgix_vault import errors
from ledgix_vault.web import problems


def tree(root: type[errors.VaultError] = errors.VaultError) -> Iterator[type[errors.VaultError]]:
    yield root
    for child in root.__subclasses__():
        yield from tree(child)


OURS = {kind for kind in tree() if kind.__module__ == errors.__name__}

SAMPLES: dict[type[errors.VaultError], tuple[errors.VaultError, int, str]] = {
    type(error): (error, status, code)
    for error, status, code in [
        (errors.VaultError("broken"), 500, "internal"),
        (errors.CallerError("no"), 400, "bad_request"),
        (errors.Unauthenticated("no key"), 401, "unauthenticated"),
        (errors.TokenRefused("too old", code="token_expired"), 401, "token_expired"),
        (errors.Forbidden("no", code="agent_not_allowed"), 403, "agent_not_allowed"),
        (errors.MissingScope("review"), 403, "missing_scope"),
        (errors.NotFound(), 404, "not_found"),
        (errors.Conflict("burned", code="token_already_consumed"), 409, "token_already_consumed"),
        (errors.Invalid("not a number", "$.tool_args.amount"), 422, "invalid"),
        (errors.DocumentRefused("It is a scan.", code="document_no_text_layer"), 422, "document_no_text_layer"),
        (errors.PolicyInvalid("one flaw", problems=[{"message": "no", "line": 3}]), 422, "policy_invalid"),
        (errors.TooLarge("at most 262144 bytes"), 413, "too_large"),
        (errors.Busy(2), 429, "busy"),
        (errors.NotYetCheckpointed(), 429, "not_yet_checkpointed"),
        (errors.Unavailable(), 503, "unavailable"),
        (errors.HighWaterConflict("moved"), 503, "high_water_conflict"),
        (errors.StartRefused("/var/lib/vault is gone", "make it"), 500, "start_refused"),
        (errors.InUse("pid 7 has it", "stop it"), 500, "in_use"),
        (errors.SettingsInvalid("VAULT_PORT: no", "mend it"), 500, "settings_invalid"),
    ]
}


def body(error: errors.VaultError) -> dict[str, object]:
    answer: dict[str, object] = json.loads(problems.problem(error).response().body)
    return answer


def test_every_error_has_an_answer_and_a_sample() -> None:
    assert set(problems.STATUS) == OURS
    assert set(SAMPLES) == OURS


def test_the_tree_at_the_top_of_errors_names_every_class() -> None:
    drawn = [line.strip(" │├└─").split()[0] for line in (errors.__doc__ or "").splitlines() if "   " in line]
    assert sorted(drawn) == sorted(kind.__name__ for kind in OURS)


@pytest.mark.parametrize("kind", SAMPLES, ids=lambda kind: kind.__name__)
def test_answers_have_the_form_of_rfc_9457(kind: type[errors.VaultError]) -> None:
    error, status, code = SAMPLES[kind]
    response = problems.problem(error).response()
    answer = json.loads(response.body)

    assert response.status_code == answer["status"] == status
    assert response.media_type == response.headers["content-type"] == "application/problem+json"
    assert answer["code"] == code
    assert answer["type"] == f"urn:ledgix:error:{code}"
    assert answer["title"]
    assert answer["detail"]
    assert response.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("kind", SAMPLES, ids=lambda kind: kind.__name__)
def test_whoever_shall_ask_again_is_told_when(kind: type[errors.VaultError]) -> None:
    error, status, _ = SAMPLES[kind]
    retry_after = problems.problem(error).headers.get("Retry-After")
    assert (retry_after is not None) == (status in (429, 503))
    if isinstance(error, errors.Busy | errors.Unavailable):
        assert retry_after == str(error.retry_after)


@pytest.mark.parametrize(
    "kind", [k for k, (_, status, _) in SAMPLES.items() if status == 500], ids=lambda k: k.__name__
)
def test_our_own_faults_stay_with_us(kind: type[errors.VaultError]) -> None:
    error, _, _ = SAMPLES[kind]
    assert body(error)["detail"] == problems.OWN_FAULT


def test_a_challenge_comes_with_401() -> None:
    assert "WWW-Authenticate" in problems.problem(errors.Unauthenticated("no key")).headers


def test_extra_members_where_there_are_any() -> None:
    flaws = [{"message": "unknown field", "line": 3, "column": 7}]
    assert body(errors.PolicyInvalid("1 flaw", problems=flaws))["problems"] == flaws
    assert body(errors.Invalid("no", path="$.a"))["path"] == "$.a"
    assert "problems" not in body(errors.Invalid("no"))
    assert body(errors.MissingScope("ledger.full"))["scope"] == "ledger.full"
    assert body(errors.Conflict("no", code="policy_changed", request_id="42"))["request_id"] == "42"
    assert "request_id" not in body(errors.NotFound())


def test_the_same_type_always_has_the_same_title() -> None:
    first, second = (body(errors.Conflict(detail, code="policy_changed")) for detail in ("one", "two"))
    assert first["title"] == second["title"] == "Policy changed"


def test_a_kind_that_another_module_adds_answers_like_its_parent() -> None:
    class Elsewhere(errors.Conflict):
        pass

    assert problems.problem(Elsewhere("no", code="x")).status == 409


def test_a_path_with_a_lone_surrogate_can_be_answered() -> None:
    assert body(errors.Invalid("no", "$.\ud800"))["path"] == "$.?"


class Item(BaseModel):
    amount: int


class Order(BaseModel):
    items: list[Item]


@pytest.fixture(scope="module")
def client() -> TestClient:
    app = FastAPI(exception_handlers=problems.HANDLERS)

    @app.get("/conflict")
    def conflict() -> None:
        raise errors.Conflict("burned", code="token_already_consumed")

    @app.get("/start-refused")
    def start_refused() -> None:
        raise errors.StartRefused("/var/lib/vault is gone", "make it")

    @app.get("/bug")
    def bug() -> None:
        raise RuntimeError("s3cr3t-word")

    @app.post("/orders")
    def order(order: Order, limit: int = Query(default=1)) -> None:
        return None

    return TestClient(app, raise_server_exceptions=False)


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/conflict", 409, "token_already_consumed"),
        ("GET", "/bug", 500, "internal"),
        ("GET", "/nowhere", 404, "not_found"),
        ("DELETE", "/conflict", 405, "method_not_allowed"),
    ],
)
def test_whatever_an_app_raises_is_a_problem(
    method: str, path: str, status: int, code: str, client: TestClient
) -> None:
    response = client.request(method, path)
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["code"] == code
    assert "s3cr3t-word" not in response.text


def test_what_the_caller_is_not_told_is_in_the_log(client: TestClient, caplog: pytest.LogCaptureFixture) -> None:
    response = client.get("/start-refused")
    assert response.status_code == 500
    assert "/var/lib/vault" not in response.text
    assert "start_refused: /var/lib/vault is gone" in caplog.text
    client.get("/conflict")
    assert "token_already_consumed" not in caplog.text


def test_another_method_is_told_which_one_is_right(client: TestClient) -> None:
    assert client.delete("/conflict").headers["allow"] == "GET"


def test_a_body_that_does_not_fit_names_every_place(client: TestClient) -> None:
    response = client.post("/orders?limit=x", json={"items": [{"amount": 1}, {"amount": "s3cr3t-word"}]})
    answer = response.json()
    assert (response.status_code, answer["code"]) == (422, "invalid")
    assert [flaw["path"] for flaw in answer["problems"]] == ["limit", "$.items[1].amount"]
    assert answer["path"] == "limit"
    assert "s3cr3t-word" not in response.text


@pytest.mark.parametrize(
    ("status", "code"), [(413, "too_large"), (418, "bad_request"), (499, "bad_request"), (502, "internal")]
)
def test_what_the_framework_refuses_has_a_stable_code(status: int, code: str) -> None:
    answer = problems.problem_of_status(status).to_json()
    assert (answer["status"], answer["code"]) == (status, code)
    assert answer["detail"]
