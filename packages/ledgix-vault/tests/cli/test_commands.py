"""What the commands print, and how they refuse."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from ledgix_vault.cli import main
from ledgix_vault.cli.root import in_words
from ledgix_vault.control.client import ask
from ledgix_vault.errors import VaultError
from ledgix_vault.settings import Settings
from ledgix_vault.tenancy.api_keys import DAY
from ledgix_vault.tenancy.scopes import PRESETS, Scope
from ledgix_vault.times import moment_of

COMMANDS = (
    "init",
    "serve",
    "backup",
    "restore",
    "check",
    "recover",
    "keys create",
    "keys list",
    "tenants create",
    "people invite",
)


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """`here("keys", "create")`: exit status, stdout and stderr of a command that stops before it opens anything."""

    def run_here(*arguments: str | Path) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["ledgix-vault", *map(str, arguments)])
        monkeypatch.setattr("ledgix_vault.logs.configure_logs", lambda *_: None)
        with pytest.raises(SystemExit) as ended:
            main()
        captured = capsys.readouterr()
        return int(ended.value.code or 0), captured.out, captured.err

    return run_here


def test_init_prints_everything_once(template: Any) -> None:
    assert set(template.printed) == {"tenant", "tenant_name", "email", "password", "api_key"}
    assert template.printed["tenant_name"] == "acme"
    assert template.printed["email"] == "owner@localhost"
    assert len(template.printed["password"]) >= 20
    assert template.printed["api_key"].startswith("lgx_")
    for name in ("vault.db", "high-water.db", "keys/unlock.key"):
        assert (template.data / name).stat().st_mode & 0o777 == 0o600


def test_init_refuses_a_directory_in_use(here: Any, vault: Any) -> None:
    before = sorted(vault.data.rglob("*"))
    status, out, err = here("init", "--data", vault.data)
    assert (status, out) == (1, "")
    assert err == f"Refused: {vault.data} is not empty.\nGive a new or an empty directory; nothing was changed.\n"
    assert sorted(vault.data.rglob("*")) == before


@pytest.mark.parametrize("command", COMMANDS)
def test_help_teaches(here: Any, command: str) -> None:
    status, out, _ = here(*command.split(), "--help")
    assert status == 0
    assert "--data" in out
    assert "ledgix-vault " in out


def test_help_of_the_whole_shows_the_first_steps(here: Any) -> None:
    status, out, _ = here("--help")
    assert status == 0
    for line in ("ledgix-vault init --data ./vault", "ledgix-vault serve --data ./vault", "keys create"):
        assert line in out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nonsense"], "No such command"),
        (["serve"], "Missing option '--data'"),
        (["serve", "--data", "x", "--port", "70000"], "65535"),
        (["keys", "create", "--data", "x", "--name", "a"], "Give either --preset or --scope"),
        (["keys", "create", "--data", "x", "--name", "a", "--preset", "agent", "--scope", "ledger"], "Give either"),
        (["keys", "create", "--data", "x", "--name", "a", "--preset", "root"], "'root'"),
        (["init", "--data", "x", "--email", "nobody"], "no e-mail address"),
        (["suspend", "--data", "x", "--reason", "y"], "Give one of --agent, --tool and --everything"),
        (["suspend", "--data", "x", "--reason", "y", "--agent", "a", "--everything"], "Give one of"),
        (["suspend", "--data", "x", "--agent", "a"], "Missing option '--reason'"),
        (["recover", "--data", "x", "--reason", "y"], "--accept-loss"),
        (["recover", "--data", "x", "--accept-loss", "--reason", " "], "Say in one line"),
    ],
)
def test_wrong_usage(here: Any, arguments: list[str], said: str) -> None:
    status, out, err = here(*arguments)
    assert (status, out) == (2, "")
    assert said in err


@pytest.mark.parametrize(
    "command",
    [
        ("serve",),
        ("check",),
        ("keys", "list"),
        ("tenants", "list"),
        ("backup", "--to", "/nowhere/x.tar"),
        ("recover", "--accept-loss", "--reason", "y"),
    ],
)
def test_a_directory_that_is_not_there(here: Any, tmp_path: Path, command: tuple[str, ...]) -> None:
    status, out, err = here(*command, "--data", tmp_path / "none")
    assert (status, out) == (1, "")
    assert err.startswith(f"Refused: There is no directory {tmp_path / 'none'}.\n")
    assert "ledgix-vault init" in err


def test_a_damaged_database(here: Any, vault: Any) -> None:
    (vault.data / "vault.db").write_bytes(b"garbage" * 1000)
    status, out, err = here("serve", "--data", vault.data, "--port", "0")
    assert (status, out) == (1, "")
    assert err == (
        f"Refused: The file {vault.data}/vault.db can't be read: file is not a database.\n"
        "If it is damaged, put it back from a backup; if it is a server, check that it runs and the URL is right.\n"
    )


def test_a_wrong_setting_names_itself(here: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VAULT_JWT_TTL", "soon")
    status, _, err = here("serve", "--data", tmp_path)
    assert status == 1
    assert "VAULT_JWT_TTL" in err
    assert "docs/settings.md" in err


def test_a_short_password(here: Any, tmp_path: Path) -> None:
    status, _, err = here("init", "--data", tmp_path / "new", "--password", "short")
    assert status == 1
    assert "8 to 1,024 characters" in err
    assert not (tmp_path / "new").exists()


def test_the_version(here: Any) -> None:
    status, out, _ = here("--version")
    assert status == 0
    assert out.startswith("ledgix-vault 0.")


@pytest.fixture
def settings(vault: Any) -> Settings:
    return Settings.load(data_dir=vault.data)


def test_keys_from_birth_to_death(settings: Settings) -> None:
    made = ask(settings, "keys.create", {"name": "bot", "preset": "agent", "agent_ids": ["billing-*"]})
    assert made["scopes"] == [str(scope) for scope in Scope if scope in PRESETS["agent"]]
    assert made["agent_ids"] == ["billing-*"]
    follower = ask(settings, "keys.rotate", {"key_id": made["key_id"]})
    assert follower["replaces"] == made["key_id"]
    assert follower["api_key"] != made["api_key"]
    assert follower["scopes"] == made["scopes"]
    revoked = ask(settings, "keys.revoke", {"key_id": made["key_id"]})
    assert ask(settings, "keys.revoke", {"key_id": made["key_id"]}) == revoked
    listed = ask(settings, "keys.list", {})["keys"]
    assert [key["key_id"] for key in listed][1:] == [made["key_id"], follower["key_id"]]
    assert [key["revoked_at"] is None for key in listed] == [True, False, True]
    assert not any("api_key" in key for key in listed)
    with pytest.raises(VaultError, match="revoked key can't be rotated"):
        ask(settings, "keys.rotate", {"key_id": made["key_id"]})


def test_keys_that_end_by_themselves(here: Any, vault: Any) -> None:
    create = ("keys", "create", "--data", vault.data, "--preset", "agent", "--name", "bot", "--expires-in-days", "90")
    _, out, _ = here(*create, "--json")
    made = json.loads(out)
    assert moment_of(made["expires_at"]) - moment_of(made["created_at"]) == pytest.approx(90 * DAY, abs=1e7)
    status, out, _ = here("keys", "rotate", made["key_id"], "--data", vault.data, "--overlap", "0")
    assert (status, "keys revoke" in out) == (0, False)
    _, out, _ = here("keys", "list", "--data", vault.data, "--json")
    listed = json.loads(out)["keys"]
    assert [key["state"] for key in listed] == ["active", "expired", "active"]
    assert [key["last_used_at"] for key in listed] == [None, None, None]
    _, out, _ = here("keys", "list", "--data", vault.data)
    assert listed[1]["expires_at"][:19] in out
    status, _, _ = here(*create[:-1], "0")
    assert status == 2


def test_tenants_and_whose_key_is_meant(settings: Settings) -> None:
    other = ask(settings, "tenants.create", {"name": "other"})
    assert set(other) == {"tenant", "tenant_name", "api_key"}
    listed = ask(settings, "tenants.list", {})["tenants"]
    assert [tenant["tenant_name"] for tenant in listed] == ["acme", "other"]
    with pytest.raises(VaultError, match="Say which tenant, with --tenant: acme, other"):
        ask(settings, "keys.create", {"name": "bot", "preset": "agent"})
    for asked in ("other", other["tenant"]):
        made = ask(settings, "keys.create", {"name": "bot", "preset": "agent", "tenant": asked})
        assert made["tenant"] == other["tenant"]
    assert len(ask(settings, "keys.list", {"tenant": "other"})["keys"]) == 3
    with pytest.raises(VaultError, match="There is a tenant named 'other' already"):
        ask(settings, "tenants.create", {"name": "other"})


def test_suspended_and_released_on_the_command_line(here: Any, vault: Any) -> None:
    status, out, _ = here(
        "suspend", "--data", vault.data, "--agent", "billing-*", "--reason", "Refunds twice", "--json"
    )
    assert status == 0
    made = json.loads(out)
    assert (made["kind"], made["subject"], made["released_at"]) == ("agent", "billing-*", None)
    _, out, _ = here("suspend", "--data", vault.data, "--everything", "--reason", "Stop")
    assert "Suspended since" in out
    _, out, _ = here("suspensions", "--data", vault.data)
    assert "agent billing-*" in out
    assert "everything" in out
    status, out, _ = here("release", made["suspension_id"], "--data", vault.data, "--reason", "Mended")
    assert (status, out[:11]) == (0, "Released at")
    _, out, _ = here("suspensions", "--data", vault.data, "--json")
    assert [each["kind"] for each in json.loads(out)["suspensions"]] == ["tenant"]


def test_people_are_invited_listed_and_given_a_new_password(here: Any, vault: Any, settings: Settings) -> None:
    data = ("--data", vault.data)
    status, out, _ = here("people", "invite", *data, "--email", "Ana@Acme.example", "--role", "auditor")
    assert status == 0
    assert "ana@acme.example is invited to acme as auditor" in out
    assert "/app/join/" in out
    assert "owner@localhost" in here("people", "list", *data)[1]
    fresh = ask(settings, "people.reset_password", {"email": "owner@localhost"})
    assert len(fresh["password"]) >= 16
    status, _, err = here("people", "reset-password", *data, "--email", "nobody@acme.example")
    assert (status, "Nobody has the address" in err) == (1, True)
    status, _, err = here("people", "invite", *data, "--email", "x@acme.example", "--role", "king")
    assert (status, "role: must be one of owner" in err) == (1, True)


def test_a_draft_is_tried_on_calls_from_a_file(here: Any, vault: Any, tmp_path: Path) -> None:
    definition, calls = tmp_path / "draft.yaml", tmp_path / "calls.jsonl"
    definition.write_text("rules: [{id: small, effect: approve, when: [args.amount <= 50]}]")
    calls.write_text('{"tool_name": "pay", "tool_args": {"amount": 45, "currency": "USD"}}\n\n{"tool_name": "pay"}\n')
    base = ("policies", "simulate", "payments", "--data", vault.data, "--definition", definition, "--tool", "pay")
    _, out, _ = here(*base, "--file", calls, "--json")
    found = json.loads(out)
    assert (found["examined"], found["review_load"]["extra"]) == (2, -1)
    assert found["changes"] == [{"before": "review", "after": "approve", "count": 1, "amounts": {"USD": "45"}}]
    _, out, _ = here(*base, "--file", calls)
    assert "2 calls examined, 1 would be decided otherwise." in out
    assert "45 USD" in out
    _, out, _ = here(*base, "--last", "10")
    assert "0 calls examined" in out


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["--last", "10"], 2, "Give one of --data and --url"),
        (["--url", "http://127.0.0.1:1", "--last", "10"], 1, "Set LEDGIX_VAULT_API_KEY"),
        (["--data", "DATA", "--last", "0"], 2, "greater than or equal to 1"),
        (["--data", "DATA", "--version", "7"], 1, "There is no version 7 of a policy 'payments'"),
        (["--data", "DATA", "--file", "/nowhere"], 2, "can't be read"),
        (["--data", "DATA", "--file", "BAD"], 2, "line 1"),
        (["--data", "DATA", "--rule", "x", "--file", "WRONG"], 1, "line 2, tool_name: is required"),
        (["--data", "DATA", "--tenant", "nobody"], 1, "There is no tenant 'nobody'"),
    ],
)
def test_a_simulation_that_makes_no_sense(
    here: Any, vault: Any, tmp_path: Path, arguments: list[str], status: int, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LEDGIX_VAULT_API_KEY", raising=False)
    (tmp_path / "bad").write_text("{")
    (tmp_path / "wrong").write_text('{"tool_name": "x"}\n{}\n')
    places = {"DATA": vault.data, "BAD": tmp_path / "bad", "WRONG": tmp_path / "wrong"}
    found, out, err = here("policies", "simulate", "payments", *(places.get(each, each) for each in arguments))
    assert (found, out) == (status, "")
    assert said in err


@pytest.mark.parametrize(
    ("command", "arguments", "said"),
    [
        ("keys.create", {"name": "", "preset": "agent"}, "name: must be 1 to 120 printable characters"),
        ("keys.create", {"name": "a\nb", "preset": "agent"}, "name: must be"),
        ("keys.create", {"name": 5, "preset": "agent"}, "name: must be a string"),
        ("keys.create", {"name": "a", "preset": "root"}, "no preset 'root'"),
        ("keys.create", {"name": "a", "scopes": ["root"]}, "no scope 'root'"),
        ("keys.create", {"name": "a", "scopes": []}, "Give a preset or scopes"),
        ("keys.create", {"name": "a", "preset": "agent", "agent_ids": [""]}, "agent_ids: must be a list"),
        ("keys.create", {"name": "a", "preset": "agent", "tenant": "nobody"}, "There is no tenant 'nobody'"),
        ("keys.revoke", {"key_id": "nobody"}, "There is no API key with the id 'nobody'"),
        (
            "suspensions.add",
            {"kind": "person", "subject": "a", "reason": "b"},
            "kind: must be one of agent, tool, tenant",
        ),
        ("suspensions.add", {"kind": "agent", "subject": "", "reason": "b"}, "subject: is required"),
        ("suspensions.add", {"kind": "tenant", "subject": "a", "reason": "b"}, "subject: is left out"),
        ("suspensions.add", {"kind": "tool", "subject": "a", "reason": " "}, "reason: is required"),
        ("suspensions.add", {"kind": "tool", "subject": "a", "reason": "b\0"}, "reason: must have printable"),
        ("suspensions.release", {"suspension_id": "nobody", "reason": "b"}, "There is no suspension 'nobody'"),
        ("keys.burn", {}, "doesn't know the command 'keys.burn'"),
    ],
)
def test_a_command_that_makes_no_sense(template: Any, command: str, arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(VaultError) as refused:
        ask(Settings.load(data_dir=template.data), command, arguments)
    assert said in in_words(refused.value)


def test_tables_show_no_control_characters(here: Any, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    evil = {"tenants": [{"tenant": "t", "tenant_name": "a\x1b[2J", "keys": 1, "ledger_entries": 2}]}
    monkeypatch.setattr("ledgix_vault.cli.tenants.ask", lambda *_: json.loads(json.dumps(evil)))
    _, out, _ = here("tenants", "list", "--data", settings.data_dir)
    assert "a\\x1b[2J" in out
    assert "\x1b" not in out
