"""Trials on a real PostgreSQL server: drivers that start, die and resume, a server that restarts, and a password that
nobody sees. Skipped, saying so, where PostgreSQL is absent."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import optuna
import pytest
from sqlalchemy.engine import make_url

from rarebird.core.checks import DataError
from rarebird.tuning import database_address, drivers, storage
from rarebird.tuning.driver_storage import PLACE, WORKER
from rarebird.tuning.study import STUDY
from tests.command_line import rarebird
from tests.test_bad_input import good
from tests.tuning.postgresql_server import PASSWORD, QUOTED, Server, missing, running_server
from tests.tuning.searches import study
from tests.tuning.trial_works import GO_ON

# A connection that the server cut, or whose process was killed, is closed when it is collected.
pytestmark = [
    pytest.mark.xdist_group("postgresql"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

# A driver: it says when it is ready, waits for a line, and runs trials of 0.1 s; after the first eight of its own it
# waits for the file "go on", so that no driver is through before the others and the server have had their turn.
DRIVER = """
import sys
from rarebird.executors.this_process import ThisProcess
from rarebird.tuning.trial_loop import TrialLoop
from tests.tuning.searches import study
from tests.tuning.trial_works import waiting
address, folder, trials = sys.argv[1:4]
print("ready", flush=True)
sys.stdin.readline()
one = study(address)
TrialLoop(one, ThisProcess(waiting, {"folder": folder, "seconds": 0.1, "alone": 8}), most=int(trials)).run()
print(len(one.finished()), *one.remarks(), flush=True)
one.close()
"""


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    if why := missing():
        pytest.skip(why)
    with running_server() as one:
        yield one


def driver(address: str, folder: Path, name: str) -> subprocess.Popen[str]:
    """A driver of 30 trials, whose messages go into a file of its name."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", DRIVER, address, str(folder), "30"]
    pipe = subprocess.PIPE
    with (folder / f"{name}.err").open("w") as errors:
        process = subprocess.Popen(command, env=environment, stdin=pipe, stdout=pipe, stderr=errors, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def go(*processes: subprocess.Popen[str]) -> None:
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()


def trials_of(address: str) -> list[optuna.trial.FrozenTrial]:
    opened = optuna.storages.RDBStorage(address.replace("postgresql:", "postgresql+psycopg:"), skip_table_creation=True)
    try:
        return opened.get_all_trials(opened.get_study_id_from_name(STUDY))
    finally:
        opened.remove_session()
        opened.engine.dispose()


def until(n: int, address: str, workers: int = 1) -> None:
    """Wait until some trials have finished, of so many drivers."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        try:
            finished = [trial for trial in trials_of(address) if trial.state.is_finished()]
            if len(finished) >= n and len({trial.user_attrs.get(WORKER) for trial in finished}) >= workers:
                return
        except Exception:  # the study is not there yet
            pass
        time.sleep(0.05)
    raise AssertionError("no trial finishes")


def until_said(words: str, path: Path) -> None:
    """Wait until a driver's messages have these words."""
    end = time.monotonic() + 60
    while words not in path.read_text():
        assert time.monotonic() < end, path.read_text()
        time.sleep(0.05)


def test_two_drivers_at_once_on_empty_databases(server: Server, tmp_path: Path) -> None:
    """Both make tables and study: of the first versions of these tests, one died of a key that was there already."""
    for number in range(4):
        address = server.new_database(f"empty {number}")
        start, opened, errors = threading.Barrier(3), [], []

        def enter(address: str = address, start: threading.Barrier = start) -> None:
            start.wait()
            try:
                opened.append(study(address))  # noqa: B023
            except BaseException as error:
                errors.append(error)  # noqa: B023

        threads = [threading.Thread(target=enter) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert errors == []
        numbers = sorted(one.ask().number for one in opened)
        assert numbers == [0, 1, 2]
        for one in opened:
            one.close()


def test_one_is_killed_and_resumed_and_the_server_restarts(server: Server, tmp_path: Path) -> None:
    """Every place has one trial with a value, and its recipe is that of a search without any interruption."""
    address = server.new_database("shared")
    # Looking into an empty database makes a table, on which a driver that makes the same one would end.
    study(address).close()
    first, second = driver(address, tmp_path, "first"), driver(address, tmp_path, "second")
    go(first, second)
    until(4, address, workers=2)
    first.kill()
    first.communicate()
    until(8, address)
    server.stop()
    (tmp_path / GO_ON).touch()
    until_said("does not answer; waiting for it.", tmp_path / "second.err")
    server.start()
    resumed = driver(address, tmp_path, "resumed")
    go(resumed)
    outputs = [process.communicate(timeout=120)[0] for process in (second, resumed)]
    for out, process, name in zip(outputs, (second, resumed), ("second", "resumed"), strict=True):
        err = (tmp_path / f"{name}.err").read_text()
        assert process.returncode == 0, err
        assert PASSWORD not in out + err
        assert QUOTED not in out + err
    assert "the search waited" in outputs[0]
    found = [trial for trial in trials_of(address) if trial.state == optuna.trial.TrialState.COMPLETE]
    assert sorted(trial.user_attrs[PLACE] for trial in found) == list(range(30))
    # Both first drivers had finished trials before the kill; they may have left none to the resumed one.
    assert len({trial.user_attrs[WORKER] for trial in found}) >= 2
    alone = study(tmp_path / "alone")
    whole = {trial.place: trial.recipe.optimizer.learning_rate for trial in (alone.ask() for _ in range(30))}
    assert {trial.user_attrs[PLACE]: trial.value for trial in found} == whole
    assert not [trial for trial in trials_of(address) if trial.state == optuna.trial.TrialState.RUNNING]


def test_a_driver_that_was_taken_for_dead_records_nothing_twice(server: Server, tmp_path: Path) -> None:
    """Its connection is cut and its lock lost for a moment, in which another driver takes its trial over."""
    one, other = (study(server.new_database("cut")), study(server.address("cut")))
    lost = one.ask()
    other._storage.is_alive = lambda name: name == other._storage.drivers.name  # type: ignore[method-assign]
    other._sampler.is_alive = other._is_alive = other._storage.is_alive
    taken = other.ask()
    assert taken.place == lost.place
    assert taken.recipe == lost.recipe
    lost.tell(1.0, {})
    taken.tell(2.0, {})
    assert [(trial.value, trial.number) for trial in one.finished()] == [(2.0, taken.number)]
    for each in (one, other):
        each.close()


def test_a_lock_comes_back_with_the_connection(server: Server) -> None:
    one, other = study(server.new_database("back")), study(server.address("back"))
    name, known = one._storage.drivers.name, other._storage.drivers
    assert known.is_alive(name)
    one._storage.drivers._connection.invalidate()  # type: ignore[attr-defined]
    end = time.monotonic() + 30
    alive = False
    while not alive and time.monotonic() < end:
        time.sleep(0.1)
        known._known.clear()  # type: ignore[attr-defined]
        with known._engine.connect() as connection:  # type: ignore[attr-defined]
            query = drivers.HELD.partition(" OR ")[0]
            alive = bool(connection.execute(drivers.text(query), {"key": drivers._key(name)}).scalar())
    assert alive
    for each in (one, other):
        each.close()


def test_tune_on_a_server_shows_no_password(
    server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    address = server.new_database("tune")
    search = ["--set", "optimizer.learning_rate={low=1e-3,high=1e-2,log=true}", "--set", "steps=5", "--folds", "2"]
    done = rarebird(
        *(capsys, monkeypatch, "tune", good(tmp_path), "--storage", address, "--trials", "3", *search),
        *("--set", "folds=2", "--out", tmp_path / "run", "--json"),
    )
    assert done.code == 0, done.err
    assert json.loads(done.out)["search"]["trials"] == 3
    wrong = rarebird(
        *(capsys, monkeypatch, "tune", good(tmp_path), "--storage", server.address("tune", "wr0ng-w0rd"), "--trials"),
        *("3", *search, "--out", tmp_path / "other"),
    )
    assert wrong.code == 2
    assert "does not answer" in wrong.err
    assert "password authentication failed" in wrong.err
    assert not (tmp_path / "other").exists()
    texts = [done.out, done.err, wrong.err]
    texts += [path.read_text(errors="replace") for path in (tmp_path / "run").rglob("*") if path.is_file()]
    for secret in (PASSWORD, QUOTED, "wr0ng-w0rd"):
        assert not [text for text in texts if secret in text]


def test_dead_drivers_of_a_young_server_are_waited_for(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Right after a restart no driver has its lock yet: whoever resumes waits before it takes trials over."""
    address = server.new_database("young")
    one = study(address)
    one.ask()
    one.close()
    waited: list[float] = []
    monkeypatch.setattr(drivers, "RETURN_SECONDS", 1e6)
    monkeypatch.setattr(drivers.time, "sleep", waited.append)
    other = study(address)
    assert waited
    assert waited[0] > 1e5
    monkeypatch.setattr(drivers, "RETURN_SECONDS", 0.0)
    assert other.ask().place == 0
    other.close()


# Without a server.


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("mysql://user:hush-hush@host/db", ["'mysql'", "postgresql://"]),
        ("nonsense hush-hush", ["no address"]),
        ("sqlite://", ["sqlite:///FILE"]),
        ("postgresql://user:hush@hush-hush@host/db", ["%40"]),
        ("postgresql+nodriver://user:hush-hush@host/db", ["nodriver"]),
        ("postgresql://user:hush-hush@127.0.0.1:1/db", ["does not answer", "user:***@127.0.0.1:1/db"]),
        ("postgres://user@127.0.0.1:1/db?password=hush-hush", ["does not answer", "user@127.0.0.1:1/db"]),
    ],
)
def test_an_address_that_cannot_serve_is_refused_without_its_password(
    address: str,
    words: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("psycopg")
    data = good(tmp_path)
    done = rarebird(capsys, monkeypatch, "tune", data, "--storage", address, "--trials", "2", "--out", tmp_path / "run")
    assert done.code == 2, done.err
    assert len(done.err.splitlines()) == 1
    for word in words:
        assert word in done.err
    assert "hush" not in done.err
    assert list(tmp_path.iterdir()) == [data]


def test_the_extra_is_named_where_the_driver_is_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    address = "postgresql://user:hush-hush@host/db"
    done = rarebird(capsys, monkeypatch, "tune", good(tmp_path), "--storage", address, "--out", tmp_path / "run")
    assert done.code == 2
    assert done.err == (
        "rarebird: postgresql://user:***@host/db needs psycopg 3, which is not installed. Install it with pip install "
        "'rarebird[postgres]'.\n"
    )
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("password", ["it", "lo{ng}er", "with space/and@more"])
def test_a_reason_never_holds_the_password(password: str) -> None:
    url = make_url("postgresql+psycopg://user@host/db").set(password=password)
    for form in (password, database_address.quote(password, safe="")):
        error = OSError(f"no route to user:{form}@host\nmore")
        assert password not in database_address.reason(error, url)
        assert form not in database_address.reason(error, url)
    assert storage._literal("a{b}") == "a{{b}}"
    with pytest.raises(DataError):
        database_address.parsed("oracle://x/y")
