"""Who may ask: whoever asks burns tokens, and says which request they are for.

An edge shows its secret in `X-Ledgix-Edge` (or in gRPC metadata of that name). Without a secret in the configuration
only this machine may ask.
"""

from __future__ import annotations

import hmac
import ipaddress
from typing import Final

from ledgix_gateway.codes import Code, refusal
from ledgix_gateway.config.secrets import Secret

EDGE_HEADER: Final = "x-ledgix-edge"


def refuse_strangers(secret: Secret | None, shown: str | None, peer: str) -> None:
    """Raises Refusal unless the secret was shown, or none is set and `peer` is an address of this machine."""
    if secret is not None:
        if shown is None or not hmac.compare_digest(shown.encode(), secret.value.encode()):
            raise refusal(Code.EDGE_UNKNOWN, f"Whoever asks must show the edge's secret in {EDGE_HEADER}.")
        return
    if not _is_here(peer):
        raise refusal(Code.EDGE_UNKNOWN, "Without a secret, only an edge on this machine may ask.")


def _is_here(peer: str) -> bool:
    try:
        return ipaddress.ip_address(peer.strip("[]")).is_loopback
    except ValueError:
        return False
