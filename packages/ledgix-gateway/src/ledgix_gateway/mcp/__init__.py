"""The MCP gateway: a proxy in front of one MCP server that lets a tool be called only with an approval for this call.

Invariants:

- `tools/call` reaches the server only with a `Burned` approval in the hand: cleared with these exact arguments, its
  token verified, then burned at the Vault. One approval, one call.
- What is cleared is what the client's bytes say to a strict reader, and equal to what is sent on. Arguments that two
  readers could understand differently are refused.
- A method that isn't known to MCP is refused, and so is a tool call that comes as a notification.
- A refusal is a result that a model can read: the call did not run, why, and what can be done.
- Without an answer of the Vault nothing is called.

`config`, `answers` and `exactness` are pure. `approvals` asks, waits and burns, `held` remembers what waits for a
person, `desk` tells the client meanwhile, `calls` tells the story of one call, `schemas` registers what tools take.
`bridge` joins the client's connection with the server's; `stdio`, `sessions` and `upstream` open connections; `run`
wires all of it.
"""
