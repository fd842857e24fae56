"""One question of an edge: who asks, for which call, and whether it may go on."""

from __future__ import annotations

from ledgix_gateway.config.edging import Edge
from ledgix_gateway.edges.described import call_with_body, call_without_body, original_of
from ledgix_gateway.ended import Verdict
from ledgix_gateway.gateway import Gateway
from ledgix_gateway.inbound import Inbound
from ledgix_gateway.proxy.visit import Visit
from ledgix_gateway.routes.call import Call


async def decide(visit: Visit, gateway: Gateway, edge: Edge, asked: Inbound) -> None:
    """Returns if the request may go on; its token is burned then. Raises Refusal. Edges enforce, whatever the mode."""
    original = original_of(edge, asked)
    call = call_without_body(edge, original) if edge.tool else call_with_body(gateway.config.table, original)
    await admit(visit, gateway, call, original)


async def admit(visit: Visit, gateway: Gateway, call: Call, original: Inbound) -> None:
    """Checks and burns the token of the described request, unless its route is open."""
    visit.route = call.route
    if call.route.open:
        visit.verdict = Verdict.OPEN
        return
    approval = await gateway.admission.admit(call, gateway.config.tokens.token_of(original))
    visit.note_passage(approval)
    visit.verdict = Verdict.ALLOWED
