"""Processes of this machine: shared arrays are mapped, a killed process costs one attempt, and none outlives the
executor."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from rarebird.executors import local_processes
from rarebird.executors.executor import Event, Returned, WorkerLost
from rarebird.executors.local_processes import LocalProcesses
from tests.executors import works
from tests.executors.running import SHARED, attempts, events_by_key

pytestmark = pytest.mark.xdist_group("heavy")


def test_an_item_dropped_at_work_has_no_more_events() -> None:
    with LocalProcesses(works.devices, None, 1) as executor:
        executor.start(0, 0)
        executor.wait(0.3)
        executor.drop(0)
        assert executor.free == 1
        executor.start(1, 0)
        events: list[Event] = []
        end = time.monotonic() + 60
        while not events and time.monotonic() < end:
            events = executor.wait(0.2)
    assert events == [Returned(1, os.environ.get("CUDA_VISIBLE_DEVICES"))]


def test_shared_arrays_are_mapped_and_not_copied() -> None:
    with LocalProcesses(works.summed, SHARED, 2) as executor:
        events = events_by_key(executor, [1, 2, 3, 4, 5, 6])
    seen = [of[-1].value for of in events.values()]  # type: ignore[union-attr]
    assert {one["mapped"] for one in seen} == {"mmap"}
    assert len({one["pid"] for one in seen} | {os.getpid()}) == 3


def test_after_one_killed_worker_an_item_is_tried_again_and_after_two_it_is_lost(tmp_path: Path) -> None:
    with LocalProcesses(works.deadly, tmp_path, 2) as executor:
        events = events_by_key(executor, ["a", "once", "b", "always", "c"])
    assert [type(of[-1]) for of in events.values()] == [Returned, Returned, Returned, WorkerLost, Returned]
    assert all(len(of) == 1 for of in events.values())
    assert attempts(tmp_path) == {"a": 1, "b": 1, "c": 1, "once": 2, "always": 2}


def test_no_worker_and_no_file_outlives_the_executor() -> None:
    with LocalProcesses(works.devices, None, 2) as executor:
        executor.start(0, 0)
        executor.wait(0.2)
        folder = executor._folder
        assert folder.is_dir()
        assert multiprocessing.active_children()
    assert not folder.exists()
    assert not multiprocessing.active_children()


# A main process whose two workers are at work until they are killed; it tells their processes and the folder, at once
# or when both have begun.
MAIN = """
import sys
from rarebird.executors.local_processes import LocalProcesses
from tests.executors import works
if __name__ == "__main__":
    executor = LocalProcesses(works.waiting, None, 2)
    for key in range(2):
        executor.start(key, key)
    begun = 0
    while begun < 2 and sys.argv[1] == "at work":
        begun += len(executor.wait(0.1))
    print(executor._folder, *(worker.process.pid for worker in executor._workers), flush=True)
    while True:
        for event in executor.wait(0.1):
            print(event, flush=True)
"""


def main_process(folder: Path, when: str) -> tuple[subprocess.Popen[str], Path, list[int]]:
    (folder / "main.py").write_text(MAIN)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "TMPDIR": str(folder)}
    command = [sys.executable, str(folder / "main.py"), when]
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, env=environment, stdout=pipe, stderr=pipe, text=True, start_new_session=True)
    assert process.stdout is not None
    place, *workers = process.stdout.readline().split()
    return process, Path(place), [int(one) for one in workers]


def is_alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.skipif(not Path("/proc/self/stat").is_file(), reason="processes are looked up in /proc")
@pytest.mark.parametrize("when", ["while they start", "at work"])
def test_workers_of_a_killed_main_process_end_silently_and_leave_no_files(when: str, tmp_path: Path) -> None:
    process, folder, workers = main_process(tmp_path, when)
    assert folder.parent == tmp_path
    process.kill()
    # As another worker does, which started a moment earlier.
    shutil.rmtree(folder)
    _, err = process.communicate()
    assert "Traceback" not in err
    end = time.monotonic() + 30
    while (folder.exists() or any(map(is_alive, workers))) and time.monotonic() < end:
        time.sleep(0.05)
    assert not any(map(is_alive, workers))
    assert [path.name for path in tmp_path.iterdir()] == ["main.py"]


@pytest.mark.parametrize(("alive", "error"), [(False, SystemExit), (True, FileNotFoundError)])
def test_a_worker_that_starts_after_the_end_of_its_main_process_ends_silently(
    alive: bool, error: type[BaseException], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of two workers of a killed main process, the first one removes the folder while the second one still imports."""
    parent = SimpleNamespace(is_alive=lambda: alive, join=lambda: None)
    monkeypatch.setattr(local_processes.multiprocessing, "parent_process", lambda: parent)
    with pytest.raises(error):
        local_processes._read(tmp_path / "shared")


@pytest.mark.skipif(not Path("/proc/self/stat").is_file(), reason="processes are looked up in /proc")
@pytest.mark.parametrize("one", [signal.SIGINT, signal.SIGTERM], ids=lambda one: one.name)
@pytest.mark.parametrize("when", ["while they start", "at work"])
def test_workers_leave_a_signal_to_the_main_process(when: str, one: signal.Signals, tmp_path: Path) -> None:
    """A terminal sends Ctrl-C to all of them, a container SIGTERM."""
    process, _, workers = main_process(tmp_path, when)
    for worker in workers:
        os.kill(worker, one)
    time.sleep(1.0)
    assert all(map(is_alive, workers))
    process.kill()
    out, err = process.communicate()
    assert "Traceback" not in err
    assert "Lost" not in out
