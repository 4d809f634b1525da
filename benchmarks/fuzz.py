"""Thousands of damaged files, each given to a command in a process of its own: does anything crash, hang or swell?

    python benchmarks/fuzz.py [--files 20000] [--seed 0] [--only csv --only model] [--keep FOLDER] [--case NUMBER]

Small valid files of each format are changed: bits and bytes flip, parts are cut, doubled or exchanged, numbers become
odd ones, and headers, JSON and arrays are changed inside their containers, so that the changes get past checksums. Data
go through `rarebird profile`, models and rows through `rarebird predict`. All is imported once; each command runs in a
forked child with limits of memory and processor time. A finding is any exit code except 0 and 2, any signal, a child
beyond its time, more memory than its limit, or an exit of 2 whose error is not one sentence. The exit code is 1 where
there are findings; `--case` repeats one of them and prints what it said.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import os
import resource
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

# A forked child waits for ever for OpenMP's threads, which only its parent has.
os.environ["OMP_NUM_THREADS"] = "1"

import mutations
import numpy as np
import seed_files

# Processor seconds of a child, and seconds that it may wait beside them; bytes of addresses and of resident memory that
# it may take beyond those of this process.
SECONDS, WAITING = 20.0, 100.0
ADDRESSES, MEMORY = 6 * 2**30, 2**30


@dataclass(frozen=True)
class Finding:
    """A case that failed, and how."""

    number: int
    kind: str
    fault: str
    said: str


def arguments(kind: str, changed: Path, seeds: Path) -> list[str]:
    """The command line for a changed file."""
    if kind.startswith("model"):
        return ["predict", str(changed), str(seeds / seed_files.ROWS[kind])]
    if kind == "rows":
        return ["predict", str(seeds / "model-table"), str(changed)]
    return ["profile", str(changed), "--json"]


def in_child(kind: str, number: int, seed: int, seeds: Path, folder: Path) -> None:
    """Change a file and give it to its command; never returns."""
    code = 70
    try:
        rng = np.random.default_rng((seed, number))
        changed = mutations.changed(kind, seeds, folder, rng)
        out = os.open(folder / "out", os.O_CREAT | os.O_WRONLY)
        err = os.open(folder / "err", os.O_CREAT | os.O_WRONLY)
        os.dup2(out, 1)
        os.dup2(err, 2)
        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + ADDRESSES, used + ADDRESSES))
        resource.setrlimit(resource.RLIMIT_CPU, (int(SECONDS), int(SECONDS)))
        sys.argv = ["rarebird", *arguments(kind, changed, seeds)]
        from rarebird.cli import main as command

        command()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 0
    except BaseException as error:
        with contextlib.suppress(BaseException):
            os.write(2, f"{type(error).__name__}: {error}".encode(errors="replace"))
    finally:
        with contextlib.suppress(BaseException):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def fault_of(status: int, waited: float, usage: resource.struct_rusage, base: int, said: str) -> str:
    """What is wrong with an ended child; empty where nothing is."""
    memory = usage.ru_maxrss * 1024
    if os.WIFSIGNALED(status):
        name = signal.Signals(os.WTERMSIG(status)).name
        if usage.ru_utime + usage.ru_stime >= SECONDS - 1:
            return f"no end in {SECONDS:.0f} s of a processor"
        return f"no end in {WAITING:.0f} s" if waited >= WAITING else f"ended by {name}"
    code = os.WEXITSTATUS(status)
    if code not in (0, 2):
        return f"exit code {code}"
    if memory > base + MEMORY:
        return f"{(memory - base) / 2**30:.1f} GiB"
    if "\x1b" in said:
        return "escape codes reach the terminal"
    if code == 2 and (len(said.splitlines()) != 1 or len(said) > 1_000):
        return "no single sentence"
    return ""


class Runner:
    """Children that run at the same time, at most one for each processor."""

    def __init__(self, seeds: Path, work: Path, seed: int) -> None:
        self.seeds, self.work, self.seed = seeds, work, seed
        self.base = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        self.running: dict[int, tuple[int, str, float, Path]] = {}
        # Seconds that this process saw pass: a machine that was suspended is no child that hangs.
        self.seen, self._last = 0.0, time.monotonic()
        self.findings: list[Finding] = []
        self.codes: Counter[tuple[str, int]] = Counter()

    def start(self, number: int, kind: str) -> None:
        folder = self.work / str(number)
        folder.mkdir()
        child = os.fork()
        if child == 0:
            in_child(kind, number, self.seed, self.seeds, folder)
        self.running[child] = (number, kind, self.seen, folder)

    def wait(self, keep: Path | None) -> None:
        """Wait until a child ends, and end those beyond their time."""
        while True:
            child, status, usage = os.wait4(-1, os.WNOHANG)
            if child:
                break
            now = time.monotonic()
            self.seen, self._last = self.seen + min(now - self._last, 1.0), now
            for late, (_, _, start, _) in self.running.items():
                if self.seen - start > WAITING:
                    os.kill(late, signal.SIGKILL)
            time.sleep(0.002)
        number, kind, start, folder = self.running.pop(child)
        self.codes[kind, os.waitstatus_to_exitcode(status)] += 1
        text = (folder / "err").read_text(errors="replace") if (folder / "err").exists() else ""
        fault = fault_of(status, self.seen - start, usage, self.base, text)
        if fault:
            last = next(iter(reversed(text.strip().splitlines())), "")
            self.findings.append(Finding(number, kind, fault, last[:300]))
            print(f"  case {number} ({kind}): {fault}: {last[:300]}", flush=True)
            if keep is not None:
                shutil.copytree(folder, keep / str(number), dirs_exist_ok=True)
        shutil.rmtree(folder, ignore_errors=True)


def warm_up(seeds: Path, kinds: Sequence[str]) -> None:
    """Run each command once on the unchanged files, so that the children import nothing; each must work."""
    from rarebird.cli import main as command

    for kind in kinds:
        changed = seeds / (seed_files.ROWS["model-table"] if kind == "rows" else kind_file(kind))
        sys.argv = ["rarebird", *arguments(kind, changed, seeds)]
        with open(os.devnull, "w") as null, contextlib.redirect_stdout(null), contextlib.redirect_stderr(null):
            try:
                command()
            except SystemExit as end:
                if end.code:
                    raise RuntimeError(f"The unchanged file of {kind} gives exit code {end.code}.") from None


def kind_file(kind: str) -> str:
    return seed_files.FILES[kind]


def fuzz(files: int, kinds: Sequence[str], runner: Runner, keep: Path | None, first: int = 0) -> None:
    workers = len(os.sched_getaffinity(0))
    for number in range(first, first + files):
        runner.start(number, kinds[number % len(kinds)])
        while len(runner.running) >= workers:
            runner.wait(keep)
        if (number + 1 - first) % 500 == 0:
            print(f"  {number + 1 - first} files", flush=True)
    while runner.running:
        runner.wait(keep)


def repeat(number: int, kind: str, seeds: Path, seed: int, keep: Path) -> None:
    """Run one case and print what it said."""
    folder = keep / str(number)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    child = os.fork()
    if child == 0:
        os.environ["RAREBIRD_TRACEBACK"] = "1"
        in_child(kind, number, seed, seeds, folder)
    _, status, usage = os.wait4(child, 0)
    print(f"status {os.waitstatus_to_exitcode(status)}, {usage.ru_maxrss / 2**20:.1f} GiB; files in {folder}")
    print((folder / "err").read_text(errors="replace"))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=20_000)
    parser.add_argument("--first", type=int, default=0, help="number of the first case")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", action="append", choices=sorted(seed_files.FILES), help="only this kind; repeatable")
    parser.add_argument("--keep", type=Path, help="folder for the files of the findings")
    parser.add_argument("--case", type=int, help="repeat one case (with the same --seed and --only)")
    given = parser.parse_args()
    kinds = given.only or sorted(seed_files.FILES)
    make: Callable[[Path], None] = seed_files.make
    with tempfile.TemporaryDirectory() as folder:
        seeds, work = Path(folder) / "seeds", Path(folder) / "work"
        seeds.mkdir()
        work.mkdir()
        make(seeds)
        warm_up(seeds, kinds)
        if given.case is not None:
            repeat(given.case, kinds[given.case % len(kinds)], seeds, given.seed, given.keep or Path(folder))
            return 0
        # Children then share the memory of this process: the garbage collector writes to no object of it.
        gc.freeze()
        runner, start = Runner(seeds, work, given.seed), time.monotonic()
        fuzz(given.files, kinds, runner, given.keep, given.first)
    for kind in kinds:
        ends = ", ".join(f"{n} with exit {code}" for (name, code), n in sorted(runner.codes.items()) if name == kind)
        print(f"{kind:14s} {ends}")
    faults = Counter(finding.fault for finding in runner.findings)
    print(f"{given.files} files in {time.monotonic() - start:.0f} s; findings: {dict(faults) or 'none'}")
    return int(bool(runner.findings))


if __name__ == "__main__":
    sys.exit(main())
