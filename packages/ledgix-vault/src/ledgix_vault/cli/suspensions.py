"""`suspend`, `release` and `suspensions`: the kill switch, while the Vault runs and while it doesn't."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from ledgix_vault.cli.options import AsJson, Config, Data, DatabaseUrl, TenantChoice, load_settings
from ledgix_vault.cli.output import say, say_json, say_table
from ledgix_vault.control.client import ask

Agent = Annotated[
    str | None, typer.Option(metavar="GLOB", help="An agent's id, or a pattern like 'billing-*'.", show_default=False)
]
Tool = Annotated[
    str | None, typer.Option(metavar="GLOB", help="A tool's name, or a pattern like 'stripe_*'.", show_default=False)
]
Everything = Annotated[bool, typer.Option("--everything", help="The whole tenant: every agent and every tool.")]
Reason = Annotated[str, typer.Option(metavar="TEXT", help="Why; it is recorded in the ledger.")]


def suspend(
    data: Data,
    reason: Reason,
    agent: Agent = None,
    tool: Tool = None,
    everything: Everything = False,
    tenant: TenantChoice = None,
    database_url: DatabaseUrl = None,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Stop an agent, a tool or a whole tenant at once.

    While it stands, nothing that it means is cleared, handed out, minted or consumed, not even with a token that was
    issued before.

    \b
    Examples:
      ledgix-vault suspend --data ./vault --agent billing-bot --reason "Refunds twice"
      ledgix-vault suspend --data ./vault --tool 'stripe_*' --reason "Stripe has an incident"
      ledgix-vault suspend --data ./vault --everything --reason "Stop"
    """
    arguments = _what(agent, tool, everything) | {"reason": reason, "tenant": tenant}
    settings = load_settings(data, database_url=database_url, config=config)
    answer = ask(settings, "suspensions.add", arguments)
    if as_json:
        say_json(answer)
        return
    say(f"Suspended since {answer['suspended_at']}: {_stopped(answer)}.")
    say(f"To go on: ledgix-vault release {answer['suspension_id']} --data {data} --reason …")


def release(
    suspension_id: Annotated[
        str, typer.Argument(metavar="SUSPENSION_ID", help="The suspension's id, as `suspensions` shows it.")
    ],
    data: Data,
    reason: Reason,
    database_url: DatabaseUrl = None,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """End a suspension. Approvals from before it can be used again, as far as their time isn't over."""
    settings = load_settings(data, database_url=database_url, config=config)
    answer = ask(settings, "suspensions.release", {"suspension_id": suspension_id, "reason": reason})
    if as_json:
        say_json(answer)
    else:
        say(f"Released at {answer['released_at']}: {_stopped(answer)}.")


def suspensions(
    data: Data,
    tenant: TenantChoice = None,
    database_url: DatabaseUrl = None,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """List what is suspended now."""
    settings = load_settings(data, database_url=database_url, config=config)
    answer = ask(settings, "suspensions.list", {"tenant": tenant})
    if as_json:
        say_json(answer)
        return
    rows = [
        (each["suspension_id"], each["tenant_name"], _stopped(each), each["suspended_at"][:19], each["reason"])
        for each in answer["suspensions"]
    ]
    say_table(("SUSPENSION_ID", "TENANT", "SUSPENDED", "SINCE", "REASON"), rows)


def _what(agent: str | None, tool: str | None, everything: bool) -> dict[str, Any]:
    chosen = [("agent", agent), ("tool", tool), ("tenant", "" if everything else None)]
    given = [(kind, subject) for kind, subject in chosen if subject is not None]
    if len(given) != 1:
        raise typer.BadParameter("Give one of --agent, --tool and --everything.", param_hint="--agent")
    kind, subject = given[0]
    return {"kind": kind, "subject": subject}


def _stopped(answer: dict[str, Any]) -> str:
    return "everything" if answer["kind"] == "tenant" else f"{answer['kind']} {answer['subject']}"
