"""The free memory: of the machine, of control groups and of the limit of addresses."""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

import pytest

from rarebird.core import memory
from rarebird.core.checks import DataError


def test_the_machine_has_some() -> None:
    assert 2**20 < memory.free_bytes() < 2**50


def test_the_limit_of_addresses_counts() -> None:
    code = "from rarebird.core.memory import free_bytes; print(free_bytes())"
    limit = 2**30

    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))

    done = subprocess.run([sys.executable, "-c", code], preexec_fn=limited, capture_output=True, text=True, check=True)
    assert 0 < float(done.stdout) < limit


@pytest.mark.parametrize(
    ("lines", "files"),
    [
        ("0::/outer/inner\n", {"outer/memory.max": "1000", "outer/memory.current": "400"}),
        ("0::/outer/inner\n", {"outer/inner/memory.max": "1000", "outer/inner/memory.current": "400"}),
        ("0::/elsewhere\n", {"memory.max": "1000", "memory.current": "400"}),
        (
            "5:memory:/a\n3:cpu:/a\n",
            {"memory/a/memory.limit_in_bytes": "1000", "memory/a/memory.usage_in_bytes": "400"},
        ),
    ],
)
def test_control_groups_count_with_the_pages_that_the_system_gives_back(
    lines: str, files: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="ascii")
    folder = (tmp_path / next(iter(files))).parent
    read = Path.read_text
    monkeypatch.setattr(memory, "_CGROUPS", tmp_path)
    monkeypatch.setattr(
        Path, "read_text", lambda self, **how: lines if str(self) == "/proc/self/cgroup" else read(self, **how)
    )
    assert memory.free_bytes() == 600
    (folder / "memory.stat").write_text("anon 300\ninactive_file 100\n", encoding="ascii")
    assert memory.free_bytes() == 700


def test_what_does_not_fit_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "free_bytes", lambda: 2**30)
    memory.require_memory(0.7 * 2**30, "This", "go on")
    with pytest.raises(DataError, match=r"This takes 3\.0 GiB of memory, but only 1\.0 GiB are free; split it\."):
        memory.require_memory(3 * 2**30, "This", "split it")
