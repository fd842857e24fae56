"""`policies simulate`: what a draft would change, on the Vault's database or through a Vault's API."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from ledgix_vault.cli.options import AsJson, Config, DatabaseUrl, TenantChoice, load_settings
from ledgix_vault.cli.output import say, say_json, say_table
from ledgix_vault.errors import Conflict, Invalid, NotFound, Unauthenticated, Unavailable, VaultError

if TYPE_CHECKING:
    from ledgix_vault.clearance.request import ClearanceRequest
    from ledgix_vault.settings import Settings

KEY_VARIABLE = "LEDGIX_VAULT_API_KEY"
PATIENCE = 60.0  # seconds for the next line of an answer
MOST_EXAMPLES = 10

Where = Annotated[
    Path | None,
    typer.Option("--data", metavar="DIR", help="A Vault's data directory, whether it runs or not.", show_default=False),
]
Url = Annotated[
    str | None,
    typer.Option(metavar="URL", help=f"A Vault's address; the key is in {KEY_VARIABLE}.", show_default=False),
]


def simulate(
    policy_id: Annotated[str, typer.Argument(metavar="POLICY_ID", help="The policy that the draft would replace.")],
    data: Where = None,
    url: Url = None,
    definition: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The draft's rules, as YAML or JSON.", show_default=False)
    ] = None,
    rule: Annotated[
        list[str] | None, typer.Option(metavar="TEXT", help="A sentence of the draft; repeat it.", show_default=False)
    ] = None,
    tool: Annotated[
        list[str] | None, typer.Option(metavar="GLOB", help="A tool that it covers; repeat it.", show_default=False)
    ] = None,
    version: Annotated[
        int | None, typer.Option(metavar="N", help="A stored version instead of a draft.", show_default=False)
    ] = None,
    last: Annotated[
        int, typer.Option(metavar="N", min=1, max=100_000, help="Over the last N recorded requests.")
    ] = 1000,
    file: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Over the calls in this file: a JSON object in each line.", show_default=False
        ),
    ] = None,
    tenant: TenantChoice = None,
    database_url: DatabaseUrl = None,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Try a draft on calls from the past or from a file: what would change, by rule and amount. Nothing is stored.

    What the draft leaves out is as in the active version.

    \b
    Examples:
      ledgix-vault policies simulate refunds --data ./vault --definition refunds.yaml --last 5000
      ledgix-vault policies simulate refunds --url https://vault.example.com --version 3 --file calls.jsonl
    """
    if (data is None) == (url is None):
        raise typer.BadParameter("Give one of --data and --url.", param_hint="--data")
    draft: dict[str, Any] = {
        "definition": _read(definition, "--definition") if definition is not None else None,
        "rules": rule or None,
        "tools": tool or None,
        "version": version,
    }
    calls = _calls(file) if file is not None else None
    if data is not None:
        steps = _on_data(
            load_settings(data, database_url=database_url, config=config), tenant, policy_id, draft, last, calls
        )
    else:
        which = {"last": last} if calls is None else {"calls": calls}
        steps = _by_url(str(url), policy_id, {name: value for name, value in draft.items() if value} | which)
    result = _followed(steps)
    if as_json:
        say_json(result)
    else:
        _show(result)


def add_to(policies: typer.Typer) -> None:
    """Registers the command in the group `policies`."""
    policies.command("simulate", short_help="What a draft would change, on past calls.")(simulate)


def _on_data(
    settings: Settings, tenant: str | None, policy_id: str, draft: dict[str, Any], last: int, calls: list[Any] | None
) -> Iterator[dict[str, Any]]:
    from ledgix_vault.operations.simulate_offline import simulate_offline
    from ledgix_vault.operations.steps.drafts import Draft
    from ledgix_vault.store.read_only import frozen_view
    from ledgix_vault.store.tenants import tenant_names
    from ledgix_vault.vault import system_clock

    sentences, tools = draft["rules"], draft["tools"]
    wanted = Draft(
        policy_id,
        sentences=None if sentences is None else tuple(sentences),
        definition=draft["definition"],
        tools=None if tools is None else tuple(tools),
        version=draft["version"],
    )
    requests = _requests(calls) if calls is not None else ()
    with frozen_view(settings) as connection:
        tenant_id = _tenant_id(tenant_names(connection), tenant)
        yield from simulate_offline(connection, tenant_id, wanted, system_clock(), last=last, calls=requests)


def _tenant_id(known: list[tuple[str, str]], asked: str | None) -> str:
    if asked is None:
        if len(known) != 1:
            raise Conflict(
                f"Say which tenant, with --tenant: {', '.join(sorted(n for _, n in known))}.", code="which_tenant"
            )
        return known[0][0]
    found = [tenant_id for tenant_id, name in known if asked in (tenant_id, name)]
    if not found:
        raise NotFound(f"There is no tenant {asked!r}; `ledgix-vault tenants list` shows them.")
    return found[0]


def _requests(calls: list[Any]) -> tuple[ClearanceRequest, ...]:
    from ledgix_vault.clearance.request import ClearanceRequest

    found = []
    for number, body in enumerate(calls, start=1):
        if not isinstance(body, dict):
            raise Invalid(f"line {number} must be a JSON object")
        try:
            found.append(ClearanceRequest.parse(body))
        except Invalid as error:
            raise Invalid(f"line {number}, {error.path.removeprefix('$.')}: {error.detail}") from error
    return tuple(found)


def _by_url(url: str, policy_id: str, body: dict[str, Any]) -> Iterator[dict[str, Any]]:
    from urllib.parse import quote

    import httpx2

    from ledgix.formats import json as exact

    key = os.environ.get(KEY_VARIABLE, "")
    if not key:
        raise Unauthenticated(f"Set {KEY_VARIABLE} to an API key with the scope “policy”.")
    address = f"{url.rstrip('/')}/policies/{quote(policy_id, safe='')}/simulate?stream=true"
    headers = {"X-Vault-API-Key": key, "Content-Type": "application/json"}
    try:
        with httpx2.stream(
            "POST", address, content=exact.dumps(exact.from_python(body)), headers=headers, timeout=PATIENCE
        ) as answer:
            if answer.status_code != 200:
                answer.read()
                raise _refused(answer.text)
            for line in answer.iter_lines():
                yield json.loads(line)
    except httpx2.HTTPError as error:
        raise Unavailable(f"{url} can't be asked: {error}") from error


def _refused(text: str) -> VaultError:
    try:
        problem = json.loads(text)
    except ValueError:
        return VaultError("The answer is not a Vault's.")
    places = [
        f"line {each['line']}, column {each['column']}: {each['message']}"
        for each in problem.get("problems", ())
        if each.get("line")
    ]
    return VaultError("\n".join([str(problem.get("detail")), *places]), code=str(problem.get("code")))


def _followed(steps: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """The last step; the others move a bar on stderr."""
    columns = (TextColumn("Simulating"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    result: dict[str, Any] = {}
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        bar = progress.add_task("", total=None)
        for result in steps:
            if "changes" not in result:
                progress.update(bar, completed=result["examined"], total=result["total"])
    if "changes" not in result:
        raise Unavailable("The Vault stopped before it had the result.")
    return result


def _read(path: Path, option: str) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise typer.BadParameter(f"{path} can't be read: {error}", param_hint=option) from error


def _calls(path: Path) -> list[Any]:
    from ledgix.errors import JsonError
    from ledgix.formats import json as exact

    found = []
    for number, line in enumerate(_read(path, "--file").splitlines(), start=1):
        if not line.strip():
            continue
        try:
            found.append(exact.parse(line.encode()))
        except JsonError as error:
            raise typer.BadParameter(f"line {number}: {error.message}", param_hint="--file") from error
    if not found:
        raise typer.BadParameter(f"{path} has no calls.", param_hint="--file")
    return found


def _show(result: dict[str, Any]) -> None:
    load = result["review_load"]
    say(f"{result['examined']:,} calls examined, {result['changed']:,} would be decided otherwise.")
    say(f"Reviews: {load['now']:,} by the active policies, {load['draft']:,} by the draft ({load['extra']:+,}).\n")
    if result["changes"]:
        say_table(("NOW", "DRAFT", "CALLS", "AMOUNTS"), [_row(change) for change in result["changes"]])
        say("")
        rows = [(each["policy_id"], each["rule_id"] or "(none)", *_row(each)) for each in result["by_rule"]]
        say_table(("POLICY", "RULE", "NOW", "DRAFT", "CALLS", "AMOUNTS"), rows)
        say("")
    for example in result["examples"][:MOST_EXAMPLES]:
        say(f"  {example['request_id']}  {example['before']} → {example['after']}: {example['reason']}")
    for assumption in result["assumptions"]:
        say(f"Note: {assumption}")


def _row(change: dict[str, Any]) -> tuple[str, str, str, str]:
    amounts = ", ".join(f"{amount} {currency}" for currency, amount in change["amounts"].items())
    return change["before"], change["after"], f"{change['count']:,}", amounts
