"""The high-water cells: forward only, one winner, durable on return, and no start without them."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledgix_vault.errors import HighWaterConflict, StartRefused, Unavailable
from ledgix_vault.store import high_water
from ledgix_vault.store.dbapi import sqlite
from ledgix_vault.store.high_water import Cell, HighWater


def cell(checkpoint_id: int, tree_size: int | None = None, key_id: str = "log", root: str = "a") -> Cell:
    return Cell(key_id, checkpoint_id, tree_size or checkpoint_id * 10, root * 64, f"{checkpoint_id:064x}")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "high-water.db"


@pytest.fixture
def cells(path: Path) -> Iterator[HighWater]:
    opened = HighWater.create(path)
    yield opened
    opened.close()


def test_a_cell_moves_and_stays_after_reopening(cells: HighWater, path: Path) -> None:
    assert cells.read("log") is None
    cells.advance(None, cell(1))
    cells.advance(cell(1), cell(2))
    cells.advance(None, cell(7, key_id="another log"))
    cells.close()

    reopened = HighWater.open(path)
    assert reopened.read("log") == cell(2)
    assert reopened.all() == [cell(7, key_id="another log"), cell(2)]
    reopened.close()
    reopened.close()


def test_files_are_private(cells: HighWater, path: Path) -> None:
    cells.advance(None, cell(1))
    assert {name: (path.parent / name).stat().st_mode & 0o777 for name in os.listdir(path.parent)} == {
        "high-water.db": 0o600,
        "high-water.db-journal": 0o600,
    }


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param(None, cell(3), id="thought to be empty"),
        pytest.param(cell(1), cell(3), id="behind"),
        pytest.param(cell(3), cell(4), id="ahead"),
        pytest.param(replace(cell(2), root_hash="b" * 64), cell(3), id="another root"),
        pytest.param(replace(cell(2), checkpoint_hash="b" * 64), cell(3), id="another checkpoint"),
    ],
)
def test_a_move_from_elsewhere_conflicts(old: Cell | None, new: Cell, cells: HighWater) -> None:
    cells.advance(None, cell(2))
    with pytest.raises(HighWaterConflict, match="is at checkpoint 2, size 20"):
        cells.advance(old, new)
    assert cells.read("log") == cell(2)


def test_a_cell_that_was_there_once_must_still_be(cells: HighWater) -> None:
    with pytest.raises(HighWaterConflict, match="is at no checkpoint"):
        cells.advance(cell(1), cell(2))


@pytest.mark.parametrize(
    "new",
    [
        pytest.param(cell(2, 20), id="the same"),
        pytest.param(cell(1, 30), id="an earlier checkpoint"),
        pytest.param(cell(3, 19), id="a smaller tree"),
        pytest.param(cell(3, 20, root="b"), id="the same size with another root"),
    ],
)
def test_a_cell_never_goes_back(new: Cell, cells: HighWater) -> None:
    cells.advance(None, cell(2, 20))
    with pytest.raises(HighWaterConflict, match="doesn't lie ahead"):
        cells.advance(cell(2, 20), new)
    assert cells.read("log") == cell(2, 20)


def test_a_later_checkpoint_may_cover_the_same_tree(cells: HighWater) -> None:
    cells.advance(None, cell(2, 20))
    cells.advance(cell(2, 20), cell(3, 20))
    assert cells.read("log") == cell(3, 20)


def test_several_logs_move_together_or_not_at_all(cells: HighWater) -> None:
    cells.advance_all([(None, cell(1, key_id=name)) for name in "abc"])
    with pytest.raises(HighWaterConflict, match="log b"):
        cells.advance_all([(cell(1, key_id=name), cell(2 if name != "b" else 1, key_id=name)) for name in "abc"])
    assert cells.all() == [cell(1, key_id=name) for name in "abc"]
    cells.advance_all((cell(1, key_id=name), cell(2, key_id=name)) for name in "abc")
    assert cells.all() == [cell(2, key_id=name) for name in "abc"]


@settings(max_examples=15, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(1, 4), st.sampled_from("ab")), max_size=12))
def test_whatever_is_tried_the_cell_only_moves_forward(
    tmp_path_factory: pytest.TempPathFactory, tries: list[tuple[int, int, str]]
) -> None:
    cells = HighWater.create(tmp_path_factory.mktemp("cells") / "high-water.db")
    seen: list[Cell] = []
    for checkpoint_id, tree_size, root in tries:
        before = cells.read("log")
        new = Cell("log", checkpoint_id or 1, tree_size, root * 64, "c" * 64)
        try:
            cells.advance(before, new)
        except HighWaterConflict:
            assert cells.read("log") == before
        else:
            seen.append(new)
    cells.close()
    assert [c.checkpoint_id for c in seen] == sorted({c.checkpoint_id for c in seen})
    assert [c.tree_size for c in seen] == sorted(c.tree_size for c in seen)
    assert len({(c.tree_size, c.root_hash) for c in seen}) == len({c.tree_size for c in seen})


def test_the_file_itself_refuses_a_step_back(cells: HighWater, path: Path) -> None:
    cells.advance(None, cell(2))
    outsider = sqlite.connect(path)
    for statement in ("UPDATE cell SET tree_size = 1", "DELETE FROM cell", "UPDATE cell SET key_id = 'x'"):
        with pytest.raises(sqlite.DatabaseError, match="only moves forward"):
            outsider.execute(statement)
    outsider.close()


def test_of_two_threads_one_wins_each_step(cells: HighWater, path: Path) -> None:
    second = HighWater.open(path)
    steps, won, start = 30, [0, 0], threading.Barrier(2)

    def climb(number: int, shared: HighWater) -> None:
        start.wait()
        while (old := shared.read("log")) is None or old.checkpoint_id < steps:
            try:
                shared.advance(old, cell(old.checkpoint_id + 1 if old else 1))
            except HighWaterConflict:
                continue
            won[number] += 1

    threads = [threading.Thread(target=climb, args=pair) for pair in enumerate((cells, second))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    second.close()
    assert sum(won) == steps
    assert cells.read("log") == cell(steps)


def test_threads_may_share_one(cells: HighWater) -> None:
    def climb(name: str) -> None:
        for step in range(1, 6):
            cells.advance(cell(step - 1, key_id=name) if step > 1 else None, cell(step, key_id=name))

    threads = [threading.Thread(target=climb, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert cells.all() == [cell(5, key_id=name) for name in "abcd"]


CLIMBER = """
import sys
from pathlib import Path
from ledgix_vault.errors import HighWaterConflict
from ledgix_vault.store.high_water import Cell, HighWater
cells, steps = HighWater.open(Path(sys.argv[1])), int(sys.argv[2])
print("ready", flush=True)
sys.stdin.readline()
while True:
    old = cells.read("log")
    step = old.checkpoint_id + 1 if old else 1
    if step > steps:
        break
    try:
        cells.advance(old, Cell("log", step, step * 10, "a" * 64, f"{step:064x}"))
    except HighWaterConflict:
        continue
    print(step, flush=True)
"""


def climber(path: Path, steps: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", CLIMBER, str(path), str(steps)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_of_two_processes_one_wins_each_step(cells: HighWater, path: Path) -> None:
    with climber(path, 30) as first, climber(path, 30) as second:
        for process in (first, second):
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        for process in (first, second):
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        answers = [process.communicate()[0] for process in (first, second)]
    won = [int(line) for answer in answers for line in answer.split()]
    assert sorted(won) == list(range(1, 31))
    assert cells.read("log") == cell(30)


def test_a_killed_process_loses_nothing_that_it_was_told(cells: HighWater, path: Path) -> None:
    with climber(path, 1_000_000) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write("go\n")
        process.stdin.flush()
        while process.stdout.readline() != "20\n":
            pass
        process.kill()
        told = max([20, *(int(line) for line in process.stdout.read().splitlines() if line)])
    found = cells.read("log")
    assert found is not None
    assert found.checkpoint_id in (told, told + 1)


def test_a_file_that_others_hold_is_unavailable(cells: HighWater, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cells.advance(None, cell(1))
    monkeypatch.setattr(high_water, "WAIT_FOR_OTHERS", 0.01)
    impatient = HighWater.open(path)
    holder = sqlite.connect(path, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    with pytest.raises(Unavailable, match="locked") as locked:
        impatient.advance(cell(1), cell(2))
    assert not isinstance(locked.value, HighWaterConflict)
    with pytest.raises(StartRefused, match="locked"):
        HighWater.open(path)
    holder.execute("ROLLBACK")
    holder.close()
    impatient.advance(cell(1), cell(2))
    impatient.close()


def test_a_closed_one_is_unavailable(cells: HighWater) -> None:
    cells.close()
    with pytest.raises(Unavailable):
        cells.read("log")
    with pytest.raises(Unavailable):
        cells.advance(None, cell(1))


def test_an_existing_file_is_never_replaced(cells: HighWater, path: Path) -> None:
    cells.advance(None, cell(1))
    with pytest.raises(StartRefused, match="already") as refused:
        HighWater.create(path)
    assert str(path) in refused.value.detail
    assert cells.read("log") == cell(1)


def test_a_missing_file_is_refused_not_made(path: Path) -> None:
    with pytest.raises(StartRefused, match="is missing") as refused:
        HighWater.open(path)
    assert str(path) in refused.value.detail
    assert "VAULT_HIGH_WATER" in refused.value.remedy
    assert not path.exists()


def test_a_directory_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(StartRefused, match="can't be made") as refused:
        HighWater.create(tmp_path / "gone" / "high-water.db")
    assert str(tmp_path / "gone") in refused.value.detail


@pytest.mark.parametrize(
    ("damage", "complaint"),
    [
        pytest.param(lambda raw: b"", "isn't a high-water file", id="emptied"),
        pytest.param(lambda raw: b"no database" * 100, "damaged or no SQLite", id="text"),
        pytest.param(lambda raw: bytes(len(raw)), "damaged or no SQLite", id="zeros"),
        pytest.param(lambda raw: raw[:100] + bytes(len(raw) - 100), "damaged or no SQLite", id="header only"),
        pytest.param(lambda raw: raw[: len(raw) // 2], "damaged or no SQLite", id="cut off"),
        pytest.param(lambda raw: raw[:68] + b"else" + raw[72:], "isn't a high-water file", id="another application"),
        pytest.param(lambda raw: raw[:60] + b"\0\0\0\2" + raw[64:], "has format 2", id="a later format"),
    ],
)
def test_a_damaged_file_is_refused_and_kept(damage, complaint: str, cells: HighWater, path: Path) -> None:
    cells.advance(None, cell(1))
    cells.close()
    path.write_bytes(damage(path.read_bytes()))
    damaged = path.read_bytes()
    with pytest.raises(StartRefused, match=complaint) as refused:
        HighWater.open(path)
    assert str(path) in refused.value.detail
    assert path.read_bytes() == damaged


def test_the_repr_names_the_file(cells: HighWater, path: Path) -> None:
    assert repr(cells) == f"HighWater({str(path)!r})"
