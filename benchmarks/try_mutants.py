"""Tries mutmut's mutants in forks of a process that has collected and run the tests once: .2 s of a core each, where a
process that collects them itself needs 1 s. `make mutants` calls it; `mutants.py` prints what it found.

python -P benchmarks/try_mutants.py                          # all that are not tried yet
python -P benchmarks/try_mutants.py --most 150 split scores  # a sample of each module with one of these in its path
python -P benchmarks/try_mutants.py --again split            # those that survived, after new tests

Without -P, `coverage.py` beside this file would hide the package that mutmut imports.
"""

from __future__ import annotations

import argparse
import gc
import os
import random
import resource
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from mutmut.__main__ import copy_also_copy_files, copy_src_dir, create_mutants, setup_source_paths
from mutmut.configuration import config
from mutmut.mutation import trampoline
from mutmut.mutation.data import SourceFileMutationData
from mutmut.utils.file_utils import walk_mutatable_files
from mutmut.utils.format_utils import mangled_name_from_mutant_name

# Read by the mutated modules, and by tests/conftest.py.
MUTANT = "MUTANT_UNDER_TEST"
# mutmut's codes of a mutant whose function no test calls, and of one that runs on for ever.
NO_TESTS, TIMEOUT = 33, 36
# Seconds of processor time that a mutant has beside twice those of its tests.
SECONDS = 30


@dataclass
class Trial:
    """A pytest plugin that runs each test once and then each mutant's tests in a fork.

    Attributes:
        work: The mutants to try: the module's results, and the mutant's name.
        workers: Forks at a time.
        root: The folder whose subfolder mutants holds the mutants' results.
        tests: For each function the tests that call it.
        seconds: Processor time of each test.
        failed: Whether the test that just ran failed.
        running: The mutant in each fork.
    """

    work: Sequence[tuple[SourceFileMutationData, str]]
    workers: int
    root: Path
    tests: dict[str, list[pytest.Item]] = field(default_factory=dict)
    seconds: dict[pytest.Item, float] = field(default_factory=dict)
    failed: bool = False
    running: dict[int, tuple[SourceFileMutationData, str]] = field(default_factory=dict)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.failed |= report.failed

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        self._run_without_mutant(session)
        say = session.config.pluginmanager.get_plugin("terminalreporter").write_line
        say(f"\n{len(self.work)} mutants to try")
        # Forks share what was collected, as long as no collector moves it.
        gc.collect()
        gc.freeze()
        for place, (data, name) in enumerate(self.work):
            if place % 50 == 49:
                say(f"{place + 1} of {len(self.work)}")
            tests = self._tests_of(Path(data.path), name)
            if not tests:
                self._keep(data, name, NO_TESTS)
                continue
            while len(self.running) >= self.workers:
                self._wait()
            if (child := os.fork()) == 0:
                self._run_with_mutant(name, tests)
            self.running[child] = data, name
        while self.running:
            self._wait()
        return True

    def _run_without_mutant(self, session: pytest.Session) -> None:
        """Run all tests, and learn what each one calls and costs; those that fail are not used."""
        called: set[str] = set()
        trampoline.record_trampoline_hit = lambda name, *_, **__: called.add(name)
        os.environ[MUTANT] = "stats"
        for item, following in zip(session.items, [*session.items[1:], None], strict=True):
            called.clear()
            begin = time.process_time()
            if self._fails(item, following):
                item.config.pluginmanager.get_plugin("terminalreporter").write_line(f"left out: {item.nodeid}")
                continue
            self.seconds[item] = time.process_time() - begin
            for name in called:
                self.tests.setdefault(name, []).append(item)
        os.environ[MUTANT] = "mutant_generation"

    def _tests_of(self, module: Path, name: str) -> list[pytest.Item]:
        """The tests that call a mutant's function: those of its module first, and the quickest first."""
        own = f"test_{module.stem.lstrip('_')}"
        found = self.tests.get(mangled_name_from_mutant_name(name), [])
        return sorted(found, key=lambda item: (item.path.stem != own, self.seconds[item]))

    def _fails(self, item: pytest.Item, following: pytest.Item | None) -> bool:
        self.failed = False
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        return self.failed

    def _run_with_mutant(self, name: str, tests: list[pytest.Item]) -> None:
        """In the fork: run the mutant's tests until one fails; never returns."""
        tests[0].config.pluginmanager.unregister(name="terminalreporter")
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)
        os.dup2(nowhere, 2)
        limit = int(SECONDS + 2 * sum(self.seconds[item] for item in tests))
        resource.setrlimit(resource.RLIMIT_CPU, (limit, limit))
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(20 * limit)  # one that waits for ever uses no processor
        os.environ[MUTANT] = name
        try:
            killed = any(
                self._fails(item, following) for item, following in zip(tests, [*tests[1:], None], strict=True)
            )
        except BaseException:
            killed = True
        os._exit(int(killed))

    def _wait(self) -> None:
        child, status = os.wait()
        code = os.waitstatus_to_exitcode(status)
        self._keep(*self.running.pop(child), TIMEOUT if code in (-signal.SIGALRM, -signal.SIGXCPU) else code)

    def _keep(self, data: SourceFileMutationData, name: str, code: int) -> None:
        data.exit_code_by_key[name] = code
        here = Path.cwd()
        os.chdir(self.root)
        data.save()
        os.chdir(here)


def chosen(parts: Sequence[str], most: int | None, again: bool) -> list[tuple[SourceFileMutationData, str]]:
    """The mutants to try, those without a result of all or of a sample of each module, which is the same each time; in
    random order, so that a run that is stopped has tried a sample, too."""
    work = []
    for path in sorted(walk_mutatable_files()):
        data = SourceFileMutationData(path=path)
        data.load()
        names = sorted(data.exit_code_by_key)
        if parts and not any(part in str(path) for part in parts):
            continue
        random.Random(str(path)).shuffle(names)
        wanted = (0, NO_TESTS) if again else (None,)
        work += [(data, name) for name in names[:most] if data.exit_code_by_key[name] in wanted]
    random.Random(0).shuffle(work)
    return work


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help="only modules with this in their path")
    parser.add_argument("--most", type=int, metavar="N", help="a sample of so many mutants of each module")
    parser.add_argument("--again", action="store_true", help="try those that survived again, and no others")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="mutants that are tried at a time")
    parser.add_argument("--tests", nargs="+", metavar="PATH", help="in place of the tests that pyproject.toml names")
    given = parser.parse_args()
    os.environ[MUTANT] = "mutant_generation"
    root = Path.cwd()
    (root / "mutants").mkdir(exist_ok=True)
    copy_src_dir()
    copy_also_copy_files()
    setup_source_paths()
    create_mutants(given.workers)
    work = chosen(given.parts, given.most, given.again)
    tests = given.tests or config().pytest_add_cli_args_test_selection
    arguments = ["-q", "--rootdir=.", "-p", "no:xdist", *config().pytest_add_cli_args, *tests]
    os.chdir(root / "mutants")
    sys.exit(pytest.main(arguments, plugins=[Trial(work, given.workers, root)]))


if __name__ == "__main__":
    main()
