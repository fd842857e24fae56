"""The process: reloading while calls go on, the command line, and leaving."""

from __future__ import annotations

import json
import signal
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import httpx2
import pytest
from gateway_testing import (
    ARGUMENTS,
    BODY,
    EXECUTABLE,
    JSON,
    REFUND,
    ROUTES,
    RunningGateway,
    Tool,
    code,
    environment,
    serving,
    write_config,
)
from typer.testing import CliRunner

from ledgix.formats import jcs
from ledgix_gateway.cli import app
from running_vault import PATIENCE, Tenant, eventually


def test_a_new_configuration_is_in_use_at_once(new_gateway: Callable[..., RunningGateway]) -> None:
    gateway = new_gateway(routes=ROUTES[1:])
    assert code(gateway.refund(gateway.token())) == "route_unmapped"
    gateway.configure(routes=ROUTES)
    assert gateway.reload()
    assert gateway.refund(gateway.token()).status_code == 200


@pytest.mark.parametrize("text", ["vault: [", "vault: {}", "routes: 1"])
def test_a_configuration_that_cannot_be_used_changes_nothing(
    new_gateway: Callable[..., RunningGateway], text: str, caplog: pytest.LogCaptureFixture
) -> None:
    gateway = new_gateway()
    gateway.path.write_text(text)
    assert not gateway.reload()
    assert "the old one stays" in caplog.text
    assert gateway.refund(gateway.token()).status_code == 200


def test_a_call_that_goes_on_ends_as_it_began(new_gateway: Callable[..., RunningGateway]) -> None:
    gateway = new_gateway()
    gateway.tool.stands_still = True
    answers: list[httpx2.Response] = []
    token = gateway.token()
    caller = threading.Thread(target=lambda: answers.append(gateway.refund(token)))
    caller.start()
    eventually(lambda: gateway.tool.seen)
    before = gateway.current.gateway
    gateway.configure(routes=ROUTES[1:])
    assert gateway.reload()
    assert code(gateway.refund(gateway.token())) == "route_unmapped"
    assert before.calls == 1
    gateway.tool.answers_after_all = True
    gateway.tool.release()
    caller.join()
    assert answers[0].status_code == 200
    eventually(lambda: before.calls == 0)


# The command line


def test_check_prints_what_each_route_hashes(tenant: Tenant, tool: Tool, tmp_path: Path) -> None:
    path = tmp_path / "gateway.yaml"
    write_config(path, tenant, tool)
    done = CliRunner().invoke(app, ["check", str(path)], env=environment(tenant))
    assert done.exit_code == 0, done.output
    assert "POST /v1/charges/{charge_id}/refunds → payments, tool stripe_refund, enforce" in done.output
    assert "query parameter limit, integer, if present" in done.output
    assert "WARNING  GET /healthz needs no token" in done.output
    for secret in environment(tenant).values():
        assert secret not in done.output


GOOD = f"""POST {REFUND}?x=1 HTTP/1.1
Host: tool.example
Content-Type: application/json

{{"amount": 45.0}}
"""


def test_check_says_how_a_request_is_read(tenant: Tenant, tool: Tool, tmp_path: Path) -> None:
    path, request = tmp_path / "gateway.yaml", tmp_path / "request.http"
    write_config(path, tenant, tool)

    def check(text: str) -> tuple[int, str]:
        request.write_text(text)
        arguments = ["check", str(path), "--request", str(request)]
        done = CliRunner().invoke(app, arguments, env=environment(tenant))
        return done.exit_code, done.output

    status, said = check(GOOD.replace("?x=1", ""))
    assert status == 0
    assert 'arguments       {"charge_id":"ch_1","amount":45}' in said
    assert jcs.sha256_hex(ARGUMENTS) in said  # type: ignore[arg-type]
    status, said = check(GOOD)
    assert (status, said.split(":")[1].split()[0]) == (1, "query_unmapped")
    assert check("nonsense")[0] == 1
    assert "needs no token" in check("GET /healthz HTTP/1.1\nHost: x\n")[1]


def test_check_names_the_place_of_a_mistake(tenant: Tenant, tool: Tool, tmp_path: Path) -> None:
    path = tmp_path / "gateway.yaml"
    write_config(path, tenant, tool, routes=[{**ROUTES[0], "upstream": "nobody"}])
    done = CliRunner().invoke(app, ["check", str(path)], env=environment(tenant))
    assert done.exit_code == 1
    assert "routes[0].upstream: names no section of upstreams" in done.output


def test_the_process_serves_reloads_and_leaves(tenant: Tenant, tool: Tool, tmp_path: Path) -> None:
    path = tmp_path / "gateway.yaml"
    log = path.with_suffix(".log")
    write_config(path, tenant, tool)
    with serving(path, tenant) as (url, process):
        token = tenant.agent.ask("stripe_refund", {"charge_id": "ch_1", "amount": 45})["token"]
        headers = {**JSON, "Authorization": f"Bearer {token}"}
        assert httpx2.post(url + REFUND, content=BODY, headers=headers).status_code == 200
        write_config(path, tenant, tool, routes=ROUTES[1:])
        process.send_signal(signal.SIGHUP)
        eventually(lambda: "the new configuration is in use" in log.read_text())
        assert code(httpx2.post(url + REFUND, content=BODY, headers=headers)) == "route_unmapped"
        path.write_text("nonsense: [")  # seen without a signal
        eventually(lambda: "the old one stays" in log.read_text())
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    calls = [line for line in lines if line["event"] == "call"]
    assert [(call["verdict"], call["status"], call.get("code")) for call in calls] == [
        ("forwarded", 200, None),
        ("refused", 403, "route_unmapped"),
    ]
    said = log.read_text()
    assert token not in said
    for secret in environment(tenant).values():
        assert secret not in said
    # The last outcome was reported before the process left.
    assert tenant.events("outcome.reported")[0]["request_id"] == calls[0]["request_id"]


def test_serve_refuses_a_configuration_with_a_mistake(tenant: Tenant, tmp_path: Path) -> None:
    path = tmp_path / "gateway.yaml"
    path.write_text("vault: {}")
    done = subprocess.run(
        [EXECUTABLE, "serve", "--config", str(path)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1
    assert "error: vault.url: is missing" in done.stderr
