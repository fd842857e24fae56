"""`backup`, `restore`, `check`, `recover`: what keeps a Vault alive."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ledgix_vault.cli.options import AsJson, Config, Data, DatabaseUrl, load_settings
from ledgix_vault.cli.output import remark, say, say_json

if TYPE_CHECKING:
    from ledgix_vault.operations.check_vault import CheckReport
    from ledgix_vault.operations.recover_logs import RecoveredLog
    from ledgix_vault.settings import Settings

NOT_INTACT = 1
PROGRESS_INTERVAL = 1.0  # seconds


def backup(
    data: Data,
    to: Annotated[
        Path, typer.Option("--to", metavar="FILE", help="The new file; one that is there is never replaced.")
    ],
    database_url: DatabaseUrl = None,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Write one file that holds the whole Vault as of this moment, while it runs or not.

    In it: the database and the sealed signing keys. Not in it, on purpose: the key file or passphrase that opens
    them, and the high-water file. Keep those two elsewhere; docs/operations.md says how.

    With PostgreSQL the file holds the keys only: take the database with pg_dump, before this.

    \b
    Example:
      ledgix-vault backup --data ./vault --to /backups/vault-$(date +%F).tar
    """
    from ledgix_vault.app import check_directory
    from ledgix_vault.operations.back_up import back_up

    settings = load_settings(data, database_url=database_url, config=config)
    check_directory(settings)
    made = back_up(settings, to)
    unlock = _unlock_in_words(settings)
    if as_json:
        left_out = {"unlock": unlock, "high_water": str(settings.high_water)}
        say_json({"file": str(made.file), "size": made.size, "database": made.with_database, "left_out": left_out})
        return
    holds = "the database and" if made.with_database else "no database, only"
    say(f"{made.file}: {made.size:,} bytes; {holds} {made.keys} sealed signing keys.")
    say("Not in it, and needed to run it again:")
    say(f"  {unlock}")
    say(f"  the high-water file {settings.high_water}, always the newest one, never an old copy")
    if not made.with_database:
        say("The database is PostgreSQL's: take it with pg_dump, before this backup and not after.")


def restore(
    source: Annotated[Path, typer.Option("--from", metavar="FILE", help="What `backup` wrote.")],
    data: Data,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Put a backup into a new data directory, after checking every byte of it against its manifest.

    A Vault on it starts only with the key file or passphrase of the original, and with its high-water file: that one
    knows whether this backup is the newest state, and refuses it when the Vault has signed more since.

    \b
    Example:
      ledgix-vault restore --from /backups/vault-2026-01-31.tar --data ./vault
    """
    from ledgix_vault.operations.restore_backup import restore_backup

    settings = load_settings(data, config=config)
    restored = restore_backup(source, settings.data_dir)
    manifest = restored.manifest
    missing = [str(path) for path in _still_needed(settings) if not path.exists()]
    if as_json:
        say_json(
            {
                "data_dir": str(restored.data_dir),
                "made_at": manifest.made_at,
                "database": manifest.with_database,
                "still_needed": missing,
            }
        )
        return
    say(f"The backup of {manifest.made_at} is in {restored.data_dir}, whole: {len(manifest.files)} files.")
    if missing:
        say("Put in place before you serve it:")
    for path in missing:
        what = "the high-water file of the original" if path == str(settings.high_water) else "what opens the keys"
        say(f"  {path}  ({what})")
    if not manifest.with_database:
        say("The database is not in it: restore your pg_dump, and give its --database-url.")
    say(f"\nThen: ledgix-vault check --data {data}, and ledgix-vault serve --data {data}")


def check(data: Data, database_url: DatabaseUrl = None, config: Config = None, as_json: AsJson = False) -> None:
    """Derive every ledger anew and hold everything against it. Exit status 0 only if all of it is intact.

    Works while the Vault runs and writes nothing. Checked are every entry's hash and receipt, the tree, every
    checkpoint, the high-water file, each request, review, policy, setting, tool schema and API key against the
    entries that made them, and the private keys. Progress goes to stderr.

    \b
    Example:
      ledgix-vault check --data ./vault && echo intact
    """
    from functools import partial

    from ledgix_vault.app import check_directory, open_keys
    from ledgix_vault.operations.check_vault import check_vault
    from ledgix_vault.store.high_water import read_cells
    from ledgix_vault.store.read_only import frozen_view

    settings = load_settings(data, database_url=database_url, config=config)
    check_directory(settings)
    cells = read_cells(settings.high_water)  # before the database: it must contain what they say
    with frozen_view(settings) as connection:
        report = check_vault(connection, cells, partial(open_keys, settings), _progress())
    if as_json:
        say_json(_report_json(report))
    else:
        _say_report(report)
    if not report.intact:
        raise typer.Exit(NOT_INTACT)


def recover(
    data: Data,
    reason: Annotated[str, typer.Option(metavar="TEXT", help="What happened; it is written into the ledger.")],
    accept_loss: Annotated[
        bool, typer.Option("--accept-loss", help="Say that the newer database is lost for good.")
    ] = False,
    high_water_lost: Annotated[
        bool,
        typer.Option("--high-water-lost", help="Say that the high-water file is lost, too, and make a new one."),
    ] = False,
    database_url: DatabaseUrl = None,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Go on with an older database when the newest one is lost for good. The loss stays visible for ever.

    Every ledger that is behind its high-water file gets a new key, which the old one attests, and an entry that names
    the checkpoint that was lost. Whoever holds evidence from the lost part can show that it is missing.

    If the high-water file is lost as well, nobody knows what was signed last: every ledger gets a new key.

    \b
    Example:
      ledgix-vault recover --data ./vault --accept-loss --reason "disk of db-1 died, backup of 2026-01-31"
    """
    from ledgix_vault.app import recover_vault

    if not accept_loss:
        raise typer.BadParameter("Entries are lost by this; say --accept-loss.", param_hint="--accept-loss")
    if not reason.strip() or not reason.isprintable():
        raise typer.BadParameter("Say in one line what happened.", param_hint="--reason")
    settings = load_settings(data, database_url=database_url, config=config)
    recovered = recover_vault(settings, reason, cells_lost=high_water_lost)
    if as_json:
        say_json({"recovered": [_recovered_json(log) for log in recovered]})
        return
    for log in recovered:
        loss = "what was signed last is not known"
        if log.lost is not None:
            loss = f"checkpoint {log.lost.checkpoint_id} over {log.lost.tree_size} entries is lost"
        say(f"{log.tenant_name}: goes on after {log.events_left} entries under the key {log.new_key_id}; {loss}.")
    if not recovered:
        say("Nothing to recover: no ledger is behind its high-water file.")


def _recovered_json(log: RecoveredLog) -> dict[str, Any]:
    return {
        "tenant_name": log.tenant_name,
        "events_left": log.events_left,
        "lost_checkpoint_id": log.lost and log.lost.checkpoint_id,
        "lost_tree_size": log.lost and log.lost.tree_size,
        "new_key_id": log.new_key_id,
    }


def _unlock_in_words(settings: Settings) -> str:
    if settings.key_passphrase is not None:
        return "the passphrase in VAULT_KEY_PASSPHRASE"
    return f"the key file {settings.key_file}"


def _still_needed(settings: Settings) -> list[Path]:
    unlock = [] if settings.key_passphrase is not None else [settings.key_file]
    return [*unlock, settings.high_water]


def _progress() -> Callable[[str, int], None]:
    """A line on stderr now and then."""
    spoken_at = time.monotonic()

    def tell(tenant: str, entries: int) -> None:
        nonlocal spoken_at
        if time.monotonic() - spoken_at >= PROGRESS_INTERVAL:
            spoken_at = time.monotonic()
            remark(f"{tenant}: {entries:,} entries verified")

    return tell


def _report_json(report: CheckReport) -> dict[str, Any]:
    return {
        "intact": report.intact,
        "flaws": report.flaws,
        "tenants": [
            {
                "tenant": tenant.tenant_id,
                "tenant_name": tenant.name,
                "verified_entries": tenant.entries,
                "verified_checkpoints": tenant.checkpoints,
                "flaws": list(tenant.flaws),
            }
            for tenant in report.tenants
        ],
    }


def _say_report(report: CheckReport) -> None:
    for flaw in report.flaws:
        say(f"NOT INTACT  {flaw}")
    for tenant in report.tenants:
        verdict = "not intact" if tenant.flaws else "intact"
        say(f"{verdict:<10}  {tenant.name}: {tenant.entries:,} entries, {tenant.checkpoints:,} checkpoints verified")
        for flaw in tenant.flaws:
            say(f"  {flaw}")
    say("\nEverything is intact." if report.intact else "\nNOT INTACT. Keep this database as it is; it is evidence.")
