"""Lines of the log: one for each record, nothing that a terminal obeys, no values of variables."""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Iterator

import pytest
import structlog

from ledgix_vault.logs import configure_logs
from ledgix_vault.settings import LogFormat, LogLevel


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    root = logging.getLogger()
    before = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = before
    logging.captureWarnings(False)
    structlog.reset_defaults()


def lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    captured = capsys.readouterr()
    assert captured.out == ""
    return captured.err.splitlines()


def fail_with_a_secret() -> None:
    password = "correct horse"
    try:
        raise ValueError("no good")
    except ValueError:
        structlog.get_logger("test").exception("it_failed", attempt=1)
    assert password


@pytest.mark.parametrize("form", list(LogFormat))
def test_a_failure_is_one_line_without_local_variables(form: LogFormat, capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs(LogLevel.INFO, form)
    fail_with_a_secret()
    (line,) = lines(capsys)
    assert "it_failed" in line
    assert "ValueError: no good" in line
    assert "test_logs.py" in line
    assert "correct horse" not in line


def test_text_is_pairs_and_escapes_what_is_not_printable(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs(LogLevel.INFO, LogFormat.TEXT)
    structlog.get_logger("test").warning("odd", path='/a b"\n\x1b[2J\u2028é', nothing=None, number=7)
    (line,) = lines(capsys)
    assert 'path="/a b\\"\\n\\u001b[2J\\u2028é"' in line
    assert line.startswith("timestamp=")
    assert " level=warning event=odd " in line
    assert "nothing= " in line
    assert line.endswith("number=7")


def test_json_is_an_object_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs(LogLevel.INFO, LogFormat.JSON)
    structlog.get_logger("test").info("odd", path="a\nb", thing=LogLevel)
    logging.getLogger("somebody.else").error("of %s", "theirs")
    first, second = map(json.loads, lines(capsys))
    assert (first["event"], first["level"], first["path"]) == ("odd", "info", "a\nb")
    assert (second["event"], second["level"]) == ("of theirs", "error")


def test_the_least_severe_kind_is_a_setting(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs(LogLevel.WARNING, LogFormat.TEXT)
    structlog.get_logger("test").info("quiet")
    logging.getLogger("uvicorn.error").info("quiet")
    structlog.get_logger("test").error("loud")
    (line,) = lines(capsys)
    assert "event=loud" in line


def test_warnings_of_libraries_are_lines_too(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs(LogLevel.INFO, LogFormat.TEXT)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(True)
        warnings.warn("old way", stacklevel=1)
        logging.captureWarnings(False)
    (line,) = lines(capsys)
    assert "old way" in line
