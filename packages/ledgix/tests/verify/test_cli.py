"""`ledgix verify`: what people and scripts see, and the exit status."""

import json as stdlib
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from ledgix.cli import app
from ledgix.formats import json
from ledgix.formats.events import redact

RUNNER = CliRunner()


@pytest.fixture
def bundle(log: Any, tmp_path: Path) -> Path:
    return write(tmp_path, json.dumps(log.bundle(0)))


def write(folder: Path, raw: bytes) -> Path:
    file = folder / "bundle.json"
    file.write_bytes(raw)
    return file


def verify(*arguments: object) -> Result:
    return RUNNER.invoke(app, ["verify", *map(str, arguments)])


def test_an_intact_bundle(bundle: Path, log: Any) -> None:
    result = verify(bundle)
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert [line.split()[:3] for line in lines[:2]] == [["1", "ok", "shape"], ["2", "ok", "keys"]]
    assert lines[9].split()[:3] == ["10", "open", "log"]
    assert lines[11].startswith("INTACT  clearance.decided stripe_refund approved, accepted 2026-01-02")
    assert lines[12].strip() == "not checked, see above: 10"
    assert result.stderr == ""


def test_a_pinned_key_leaves_nothing_open(bundle: Path, log: Any) -> None:
    result = verify(bundle, "--key", "another", "--key", log.key.kid)
    assert result.exit_code == 0
    assert "not checked" not in result.stdout


def test_json(bundle: Path, log: Any) -> None:
    result = verify(bundle, "--json", "--key", log.key.kid)
    found = stdlib.loads(result.stdout)
    assert (result.exit_code, found["intact"], found["pinned"], len(found["steps"])) == (0, True, True, 10)
    refused = verify(bundle, "--json", "--key", "another")
    found = stdlib.loads(refused.stdout)
    assert (refused.exit_code, found["intact"], found["step"]) == (1, False, "step 10, log")
    assert "neither pinned" in found["error"]


def test_an_altered_bundle(bundle: Path) -> None:
    bundle.write_bytes(bundle.read_bytes().replace(b'"amount":45.5', b'"amount":46.5'))
    result = verify(bundle)
    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr.startswith("NOT INTACT  step 3, event: intent_hash is not the hash of the intent")


def test_a_redacted_bundle(log: Any, tmp_path: Path) -> None:
    wire = log.bundle(0)
    wire["event"] = redact(wire["event"])
    result = verify(write(tmp_path, json.dumps(wire)))
    assert result.exit_code == 0
    assert "INTACT  redacted event" in result.stdout
    assert result.stdout.rstrip().endswith("not checked, see above: 3, 10")


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"", "is not a proof bundle"),
        (b"hello", "is not a proof bundle: $: not JSON"),
        (b"[]", "must be an object"),
        (b'{"a":1,"a":2}', "$.a: this name stands more than once"),
        (b"PK\x03\x04rest", "is a ZIP; this version verifies proof bundles (JSON) only"),
    ],
)
def test_what_cannot_be_read_as_evidence(tmp_path: Path, raw: bytes, message: str) -> None:
    file = write(tmp_path, raw)
    result = verify(file)
    assert result.exit_code == 2
    assert message in result.stderr
    as_json = verify(file, "--json")
    assert as_json.exit_code == 2
    assert stdlib.loads(as_json.stdout)["intact"] is False


def test_files_that_cannot_be_opened(tmp_path: Path) -> None:
    missing = verify(tmp_path / "missing.json")
    assert (missing.exit_code, "No such file" in missing.stderr) == (2, True)
    folder = verify(tmp_path)
    assert (folder.exit_code, "UNREADABLE" in folder.stderr) == (2, True)


def test_a_file_larger_than_any_bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ledgix.cli.MAX_BUNDLE_BYTES", 100)
    result = verify(write(tmp_path, b"{" + b" " * 200))
    assert (result.exit_code, "larger than any" in result.stderr) == (2, True)


def test_json_that_is_no_bundle_is_not_intact(tmp_path: Path) -> None:
    result = verify(write(tmp_path, b"{}"))
    assert result.exit_code == 1
    assert "step 1, shape: event must be an object, but is missing" in result.stderr


def test_evidence_cannot_rewrite_the_screen(
    log: Any, new_request: Any, new_decision: Any, new_event: Any, tmp_path: Path
) -> None:
    request = new_request(tool_name="\x1b[2Jowned\r\n  1  ok")
    log.add(new_event(9, request=request, decision=new_decision()))
    log.add_checkpoint()
    result = verify(write(tmp_path, json.dumps(log.bundle(7))))
    assert result.exit_code == 0
    assert "\x1b" not in result.stdout
    assert "\\x1b[2Jowned\\x0d\\x0a" in result.stdout


def test_version() -> None:
    result = RUNNER.invoke(app, ["--version"])
    assert (result.exit_code, result.stdout) == (0, "ledgix 0.1.0\n")
