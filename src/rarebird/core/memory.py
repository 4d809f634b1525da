"""How much memory this process may still take, and one sentence where something would take more.

A limit is never a fixed number: what was written on a machine can be read on it. Checked before anything is allocated,
because a process that takes too much is killed without a word.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path

from rarebird.core.checks import DataError

# Share of the free memory that one thing may take; Python, libraries and other processes need the rest.
SHARE = 0.8
_CGROUPS = Path("/sys/fs/cgroup")
# Files of version 2 and version 1 of control groups: the limit, and what is used of it.
_LIMITS = (("memory.max", "memory.current"), ("memory.limit_in_bytes", "memory.usage_in_bytes"))
# Lines of `memory.stat`: pages of files that the system gives back where it must.
_RECLAIMABLE = ("inactive_file", "total_inactive_file")


def free_bytes() -> float:
    """Bytes that this process can still take: what the machine has free, and what its control groups (containers) and
    the limit of its addresses (``ulimit -v``) leave. Infinite where the system does not tell."""
    return min((_machine(), _addresses(), *_groups()))


def require_memory(needed: float, what: str, advice: str) -> None:
    """Check that something fits into the free memory.

    Args:
        needed: Bytes that it takes.
        what: The subject of the sentence, such as "The table data.csv".
        advice: What to do.

    Raises:
        DataError: It does not fit.
    """
    free = free_bytes()
    if needed > SHARE * free:
        raise DataError(f"{what} takes {_size(needed)} of memory, but only {_size(free)} are free; {advice}.")


def _size(count: float) -> str:
    return f"{count / 2**30:,.1f} GiB" if count >= 2**29 else f"{count / 2**20:,.0f} MiB"


def _machine() -> float:
    try:
        for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError, IndexError):
        pass
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, AttributeError):
        return math.inf


def _addresses() -> float:
    try:
        import resource

        limit, _ = resource.getrlimit(resource.RLIMIT_AS)
        if limit == resource.RLIM_INFINITY:
            return math.inf
        used = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * os.sysconf("SC_PAGE_SIZE")
        return max(limit - used, 0)
    except (ImportError, OSError, ValueError, IndexError):
        return math.inf


def _groups() -> Iterator[float]:
    """What each control group of this process leaves, from its own to the outermost."""
    for folder in _group_folders():
        for limit, used in _LIMITS:
            most, now = _number(folder / limit), _number(folder / used)
            if most is not None and now is not None:
                yield max(most - now + _reclaimable(folder), 0)


def _group_folders() -> Iterator[Path]:
    try:
        lines = Path("/proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:
        return
    for line in lines:
        number, controllers, place = [*line.split(":", 2), "", ""][:3]
        if number != "0" and "memory" not in controllers.split(","):
            continue
        root = _CGROUPS if number == "0" else _CGROUPS / "memory"
        own = root / place.lstrip("/")
        # A container often sees its own group as the root, whatever name it has outside.
        yield from (folder for folder in (own, *own.parents) if folder.is_relative_to(root))


def _reclaimable(folder: Path) -> float:
    try:
        lines = [line.split() for line in (folder / "memory.stat").read_text(encoding="ascii").splitlines()]
        return max((int(words[1]) for words in lines if words[0] in _RECLAIMABLE), default=0)
    except (OSError, ValueError, IndexError):
        return 0


def _number(path: Path) -> float | None:
    try:
        return int(path.read_text(encoding="ascii"))
    except (OSError, ValueError):  # no such group, or "max"
        return None
