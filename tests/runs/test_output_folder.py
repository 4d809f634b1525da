"""Who owns the folder that a command writes, what is refused before the work, and what may be replaced."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from rarebird.core.checks import DataError
from rarebird.runs.default_folder import default_folder
from rarebird.runs.output_folder import HIDDEN, LIST, owned_folder
from rarebird.runs.request import Request
from tests.runs.owning import visible

# A process that owns a folder until its standard input ends, or until it is killed.
OWNER = """
import sys
from pathlib import Path
from rarebird.runs.output_folder import owned_folder
from rarebird.runs.request import Request
with owned_folder(Request(Path("data.csv"), Path(sys.argv[1])), ("page.html",)) as out:
    with out.replacing() as building:
        (building / "page.html").write_text("half")
        print("ready", flush=True)
        sys.stdin.read()
"""


def request(out: Path, **more: object) -> Request:
    return Request(Path("data.csv"), out, **more)  # type: ignore[arg-type]


def write(out: Path, name: str = "page.html", text: str = "new", **more: object) -> None:
    with owned_folder(request(out, **more), (name,)) as folder, folder.replacing() as building:
        (building / name).parent.mkdir(parents=True, exist_ok=True)
        (building / name).write_text(text)


def owner(out: Path) -> subprocess.Popen[str]:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    process = subprocess.Popen([sys.executable, "-c", OWNER, str(out)], env=environment, **pipes)  # type: ignore[call-overload]
    assert process.stdout.readline() == "ready\n"
    return process


def test_two_processes_never_write_one_folder_and_a_killed_one_leaves_it_free(tmp_path: Path) -> None:
    out = tmp_path / "run"
    process = owner(out)
    with process:
        with pytest.raises(DataError, match="Another process writes into"):
            write(out)
        # A default folder of the same second gets a number.
        with owned_folder(request(out, out_is_default=True), ("page.html",)) as other:
            assert other.path == tmp_path / "run-2"
        assert not (tmp_path / "run-2").exists()
        process.kill()
    assert visible(out) == []
    assert len(list((out / HIDDEN).iterdir())) > 1
    write(out)
    assert visible(out) == ["page.html"]
    # What the killed process had half-written is gone.
    assert sorted(path.name for path in (out / HIDDEN).iterdir()) == [LIST, "lock"]


def test_the_lock_is_the_process_and_not_its_number(tmp_path: Path) -> None:
    """In a container every first process may have the same number: a folder that was copied, or left by a process of
    this very number, is free."""
    out = tmp_path / "run"
    process = owner(out)
    with process:
        shutil.copytree(out, tmp_path / "copy")
        write(tmp_path / "copy")
        process.kill()


@pytest.mark.parametrize("place", ["run", "deep/er/run"])
def test_a_refusal_leaves_nothing(place: str, tmp_path: Path) -> None:
    def refused(out: Path) -> None:
        with owned_folder(request(out), ("page.html",)) as folder:
            folder.announce(["trials.db"])
            raise DataError("the data cannot be read")

    with pytest.raises(DataError, match="cannot be read"):
        refused(tmp_path / place)
    assert list(tmp_path.iterdir()) == []
    # A folder that was there stays, empty as it was.
    (tmp_path / "mine").mkdir()
    with pytest.raises(DataError, match="cannot be read"):
        refused(tmp_path / "mine")
    assert list((tmp_path / "mine").iterdir()) == []


@pytest.mark.parametrize("place", ["file", "file/run", "file/deep/run"])
def test_a_file_in_the_way_is_seen_before_the_work(place: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(DataError, match="is a file"):
        write(tmp_path / place)
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize("length", [250, 256, 5000])
def test_a_long_name_works_or_is_refused_before_the_work(length: int, tmp_path: Path) -> None:
    out = tmp_path / ("x" * length)
    if length <= 255:
        write(out)
        assert visible(out) == ["page.html"]
    else:
        with pytest.raises(DataError, match="too long"):
            write(out)
        assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_place_that_cannot_be_written_is_seen_before_the_work(tmp_path: Path) -> None:
    (tmp_path / "sealed").mkdir(mode=0o500)
    with pytest.raises(DataError, match="Nothing can be written"):
        write(tmp_path / "sealed" / "deep" / "run")


def test_a_system_that_refuses_is_told_before_the_work(tmp_path: Path) -> None:
    """Nobody can make a folder here, not even root."""
    if not Path("/proc/self").is_dir():
        pytest.skip("there is no /proc on this system")
    with pytest.raises(DataError, match="Nothing can be written in /proc"):
        write(Path("/proc/rarebird/run"))


def test_a_link_is_followed_and_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "disk").mkdir()
    (tmp_path / "link").symlink_to("disk")
    (tmp_path / "to itself").symlink_to("to itself")
    write(Path("link"))
    write(Path("link"), force=True)
    write(Path("link/../other"))
    assert (tmp_path / "link").is_symlink()
    assert visible(tmp_path / "disk") == visible(tmp_path / "other") == ["page.html"]
    with pytest.raises(DataError, match="give another folder with --out"):
        write(Path("to itself"))


def test_the_working_folder_serves_if_it_is_empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a container whose working folder is the volume for the results: it is never replaced, but written into."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lost+found").mkdir()  # as on a disk that was just made
    before = tmp_path.stat().st_ino
    write(Path())
    assert visible(tmp_path) == ["lost+found", "page.html"]
    assert tmp_path.stat().st_ino == before


def test_a_folder_of_other_files_is_refused(tmp_path: Path) -> None:
    out = tmp_path / "thesis"
    out.mkdir()
    (out / "result.json").write_text("{}")
    with pytest.raises(DataError, match="not a run of rarebird"):
        write(out, force=True)
    assert list(out.iterdir()) == [out / "result.json"]


def test_a_file_that_no_command_wrote_is_never_replaced(tmp_path: Path) -> None:
    out = tmp_path / "run"
    write(out, "other.html")
    (out / "page.html").write_text("mine")
    with pytest.raises(DataError, match=r"page.html was not written by rarebird"):
        write(out, force=True)
    assert (out / "page.html").read_text() == "mine"
    # Another command's files stand beside one another.
    write(out, "third.html")
    assert visible(out) == ["other.html", "page.html", "third.html"]


def test_files_that_sqlite_keeps_beside_a_database_are_the_database_s_own(tmp_path: Path) -> None:
    """In a notebook an error of an earlier call holds the database open, so that its files come back."""
    out = tmp_path / "run"
    write(out, "trials.db")
    (out / "trials.db-wal").touch()
    write(out, "trials.db-wal", force=True)
    (out / "rows.csv-wal").write_text("mine")
    with pytest.raises(DataError, match=r"rows.csv-wal was not written by rarebird"):
        write(out, "rows.csv-wal", force=True)


@pytest.mark.parametrize(
    "names",
    [["../victim"], ["/tmp/victim"], ["link/victim"], [".rarebird/lock"], "page.html", [["page.html"]], None],
    ids=str,
)
def test_a_list_from_elsewhere_removes_nothing_outside(names: object, tmp_path: Path) -> None:
    out = tmp_path / "run"
    write(out)
    (tmp_path / "victim").write_text("mine")
    (out / "link").symlink_to(tmp_path)
    plain = {"files": ["page.html", *names] if isinstance(names, list) else names, "unfinished": False}
    (out / HIDDEN / LIST).write_text(json.dumps(plain))
    try:
        with owned_folder(request(out, force=True), ("page.html",)) as folder:
            folder.remove([name for name in names if isinstance(name, str)] if isinstance(names, list) else [])
            folder.remove(["link", "..", "/"])
    except DataError:
        assert not isinstance(names, list)  # a folder without a list is not ours
    else:
        assert (out / HIDDEN / "lock").is_file()
    assert (tmp_path / "victim").read_text() == "mine"


def test_default_folders_have_short_names() -> None:
    assert len(default_folder("x" * 300).name) < 120
    assert default_folder("").name.startswith("data-")


@pytest.mark.skipif(not shutil.which("unshare") or os.geteuid() != 0, reason="needs root and unshare to mount a folder")
def test_a_mount_point_serves_as_folder(tmp_path: Path) -> None:
    """As in any container whose volume is the results' folder: it cannot be renamed, but is written in place."""
    (tmp_path / "volume").mkdir()
    (tmp_path / "file.html").touch()
    code = (
        "import sys\nfrom pathlib import Path\nfrom tests.runs.test_output_folder import write\n"
        "out = Path(sys.argv[1])\nwrite(out)\nwrite(out, text='again', force=True)\n"
        "from rarebird.core.atomic_files import whole_file\n"
        "with whole_file(Path(sys.argv[2])) as building:\n    building.write_text('in place')\n"
    )
    script = 'mount -t tmpfs none "$1/volume" && mount --bind "$1/file.html" "$1/file.html" && '
    script += '"$2" -c "$3" "$1/volume" "$1/file.html" && cat "$1/volume/page.html" "$1/file.html"'
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = ["unshare", "--mount", "sh", "-c", script, "sh", str(tmp_path), sys.executable, code]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if "permission denied" in done.stderr.lower() or "not permitted" in done.stderr.lower():
        pytest.skip("this system lets nobody mount a folder")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "againin place"


def test_a_default_folder_is_a_new_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("rarebird.runs.default_folder.time.strftime", lambda form: "20260101-000000")
    names = []
    for _ in range(3):
        folder = default_folder("rows")
        folder.mkdir(parents=True)
        names.append(folder.name)
    assert names == ["rows-20260101-000000", "rows-20260101-000000-2", "rows-20260101-000000-3"]
