"""Folders for unfinished work go with their process, whatever ends it, and never with another's work in them."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from rarebird.core import locks, temporary_folder
from rarebird.core.disk_space import DiskFullError, is_full, naming_the_place

HOLDER = """
import sys
from pathlib import Path
from rarebird.core import temporary_folder
folder, lock = temporary_folder.take(Path(sys.argv[1]))
(folder / "half").write_text("written")
print(folder, flush=True)
sys.stdin.read()
"""


def holder(home: Path) -> tuple[subprocess.Popen[str], Path]:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", HOLDER, str(home)]
    process = subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, Path(process.stdout.readline().strip())


def test_the_folder_of_a_killed_process_is_removed_by_the_next_and_that_of_a_living_one_is_not(tmp_path: Path) -> None:
    killed, first = holder(tmp_path)
    living, second = holder(tmp_path)
    with killed, living:
        killed.kill()
        killed.wait()
        assert (first / "half").is_file()
        with temporary_folder.temporary_folder(tmp_path) as mine:
            assert sorted(tmp_path.iterdir()) == sorted([second, mine])
            assert (second / "half").read_text() == "written"
            assert mine.stat().st_mode & 0o077 == 0
        living.kill()
    temporary_folder.remove_leftovers(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_what_is_not_ours_or_just_being_made_stays(tmp_path: Path) -> None:
    (tmp_path / ".rarebird-new").mkdir()
    (tmp_path / ".rarebird-file").touch()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "lock").touch()
    (tmp_path / ".rarebird-link").symlink_to("elsewhere")
    old = tmp_path / ".rarebird-old"
    old.mkdir()
    long_ago = time.time() - 2 * temporary_folder.SECONDS_TO_LOCK
    os.utime(old, (long_ago, long_ago))
    temporary_folder.remove_leftovers(tmp_path)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == [".rarebird-file", ".rarebird-link", ".rarebird-new", "elsewhere"]
    temporary_folder.remove_leftovers(tmp_path / "absent")


def test_one_holder_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    assert not locks.is_held(path)
    assert not path.exists()
    lock = locks.hold(path)
    assert lock is not None
    assert locks.hold(path) is None
    assert locks.is_held(path)
    lock.release()
    assert not locks.is_held(path)


@pytest.mark.parametrize(
    ("error", "full"),
    [
        (OSError(28, "No space left on device"), True),
        (OSError(122, "Disk quota exceeded"), True),
        (OSError("8000 requested and 4096 written"), True),
        (RuntimeError("I/O error: No space left on device (os error 28)"), True),
        (OSError(5, "Input/output error"), False),
        (ValueError("4 classes requested and 3 found"), False),
    ],
    ids=str,
)
def test_a_full_disk_is_known_and_its_place_named(error: Exception, full: bool) -> None:
    def write() -> None:
        with naming_the_place(Path("here/there")):
            raise RuntimeError("the writer failed") from error

    assert is_full(error) is full
    with pytest.raises(DiskFullError if full else RuntimeError) as raised:
        write()
    assert ("No space is left to write here/there;" in str(raised.value)) is full
