"""A payment service that knows nothing of Ledgix, behind a gateway: it takes calls with the gateway's own key alone."""

from __future__ import annotations

import contextlib
import json
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx2

from local_vault import BIN, address, environment
from scenes import Desk
from shop import TOOL, order_facts

OWN_KEY = "Bearer the-payment-services-own-key"
CONFIGURATION = """
vault: {{url: "{vault}", api_key: {{env: GATEWAY_KEY}}, tenant: "{tenant}"}}
listen: {{port: 0}}
upstreams:
  payments: {{url: "{payments}", headers: {{Authorization: {{env: PAYMENTS_KEY}}}}}}
routes:
  - {{tool: stripe_refund, method: POST, path: /refunds, upstream: payments}}
"""


class Payments(ThreadingHTTPServer):
    """`paid_back` are the refunds that it made."""

    def __init__(self) -> None:
        self.paid_back: list[dict[str, Any]] = []
        super().__init__(("127.0.0.1", 0), _Refunds)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Refunds(BaseHTTPRequestHandler):
    server: Payments

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.headers.get("Authorization") != OWN_KEY:
            self._answer(
                401, {"code": "not_our_key", "detail": "The payment service takes calls of the gateway alone."}
            )
            return
        self.server.paid_back.append(json.loads(body))
        self._answer(200, {"detail": f"Gave back {self.server.paid_back[-1]['amount']} USD."})

    def _answer(self, status: int, body: dict[str, Any]) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def log_message(self, *_: object) -> None:
        """Nothing: the demo tells what happens."""


def only_through_the_gateway(desk: Desk, gateway_key: str, temporary: Path) -> None:
    """The same refund straight to the service, and through the gateway: first altered, then as approved, then again."""
    desk.screen.scene(
        "A gateway in front", "a payment service that was not changed; `ledgix-gateway serve` protects it"
    )
    args = {"order_id": "A-1002", "amount": 20, "currency": "USD", "reason": "one of two sent back"}
    cleared = desk.asking.request_clearance(TOOL, args, policy_id="refunds", facts=order_facts(args))
    token = cleared.token or ""
    tenant = desk.asking.verify_token(token, once=False).tenant
    rows = []
    with _serving() as payments, _gateway(desk, gateway_key, tenant, payments.url, temporary) as gateway:
        tries = [
            ("straight to the service", payments.url, token, args, "not_our_key"),
            ("the gateway, without a token", gateway, "", args, "token_missing"),
            ("the gateway, amount 2000", gateway, token, {**args, "amount": 2000}, "token_args_mismatch"),
            ("the gateway, as approved", gateway, token, args, ""),
            ("the gateway, once more", gateway, token, args, "token_already_consumed"),
        ]
        for what, url, shown, sent, wanted in tries:
            headers = {"Authorization": f"Bearer {shown}"} if shown else {}
            said = httpx2.post(f"{url}/refunds", json=sent, headers=headers, timeout=30).json()
            code = said.get("code", "")
            desk.screen.expect(code == wanted, f"{what}: {code or 'ran'}, not {wanted or 'ran'}")
            rows.append((what, "refused" if code else "ran", said["detail"]))
        desk.screen.table(("attempt", "verdict", "why"), rows)
        desk.screen.expect(payments.paid_back == [args], f"the service gave back {payments.paid_back}")


@contextlib.contextmanager
def _serving() -> Iterator[Payments]:
    with Payments() as payments:
        thread = threading.Thread(target=payments.serve_forever)
        thread.start()
        try:
            yield payments
        finally:
            payments.shutdown()
            thread.join()


@contextlib.contextmanager
def _gateway(desk: Desk, key: str, tenant: str, payments: str, temporary: Path) -> Iterator[str]:
    """`ledgix-gateway serve` until the block ends; its URL. It says what became of each call before it leaves."""
    file = temporary / "gateway.yaml"
    vault = desk.asking.settings.vault_url
    file.write_text(CONFIGURATION.format(vault=vault, tenant=tenant, payments=payments), "utf-8")
    command: list[str | Path] = [BIN / "ledgix-gateway", "serve", "--config", file]
    secrets = environment(GATEWAY_KEY=key, PAYMENTS_KEY=OWN_KEY)
    with (
        (temporary / "gateway.log").open("w+") as log,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True, env=secrets) as server,
    ):
        try:
            yield address(server, log)
        finally:
            server.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                server.wait(30)
            server.kill()
