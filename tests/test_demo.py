"""`make demo` shows the main job, checks itself, and ends by itself."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

DEMO = Path(__file__).parent.parent / "examples" / "refunds" / "demo.py"


def test_the_demo_ends_as_expected_and_leaves_nothing(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, DEMO], capture_output=True, text=True, timeout=300, env={"TMPDIR": str(tmp_path)}, check=False
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    for promised in (
        "approved",
        "denied",
        "review",
        "expired",
        "refused",
        "INTACT",
        "NOT INTACT",
        "A gateway in front",
        "Where to go next",
    ):
        assert promised in done.stdout
    assert not list(tmp_path.iterdir()), "the demo left files behind"


def test_the_demo_fails_when_something_is_not_as_expected(tmp_path: Path) -> None:
    lenient = tmp_path / "refunds"
    lenient.mkdir()
    for file in DEMO.parent.iterdir():
        if file.is_file():
            text = file.read_text("utf-8")
            (lenient / file.name).write_text(
                text.replace("Refunds must not exceed $1000", "Refunds must not exceed $9000")
            )
    done = subprocess.run(
        [sys.executable, lenient / "demo.py"], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 1
    assert "Not as expected: call 6 review, not denied" in done.stdout
