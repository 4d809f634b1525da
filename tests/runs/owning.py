"""A run written into a folder as a command does it, for tests that hold its outcome already."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rarebird.core.clock import Clock
from rarebird.experiment.run import Outcome
from rarebird.runs import folder as run_folder
from rarebird.runs.output_folder import HIDDEN, OutputFolder, owned_folder
from rarebird.runs.request import DataSummary, Request


def write_run(folder: Path, outcome: Outcome, summary: DataSummary, force: bool = False) -> Outcome:
    with owned_folder(Request(Path("data.csv"), folder, force=force), run_folder.FILES) as out:
        return run_folder.write(out, outcome, summary, Clock())


@contextmanager
def owning(folder: Path, files: Sequence[str] = ()) -> Iterator[OutputFolder]:
    """A folder owned as by a command that writes these files."""
    with owned_folder(Request(Path("data.csv"), folder, force=True), files) as out:
        yield out


def visible(folder: Path) -> list[str]:
    """The names in a folder, sorted, without what belongs to its owner."""
    return sorted(path.name for path in folder.iterdir() if path.name != HIDDEN)
