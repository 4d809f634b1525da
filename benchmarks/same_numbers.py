"""Does a change of the code keep the numbers? Records runs of the command line, and compares later ones bit by bit.

    PYTHONPATH=OTHER_CHECKOUT/src python benchmarks/same_numbers.py record FOLDER [--data ../shared/data]
    python benchmarks/same_numbers.py check FOLDER [--data ../shared/data]

A table, a set of series and a set of pictures are fitted with `rarebird fit --steps 60 --seed 0`, and the ensemble of
`same_numbers.toml` with `rarebird fit --recipe` on another table; then `rarebird predict` predicts rows with each
model. `record` keeps the runs in FOLDER; `check` repeats them in a temporary folder and compares the recipe and the
weights byte for byte, and the predictions column by column, as text. It prints one line per item, and its exit code is
1 where one differs. A later version may add columns to the predictions; they are named, and are no difference.

The numbers are the same only on the same machine with the same number of threads, so every run has one thread. Without
PYTHONPATH, `record` uses the installed code.
"""

from __future__ import annotations

import argparse
import csv
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"
ENSEMBLE = Path(__file__).with_name("same_numbers.toml")
STEPS = ("--steps", "60", "--seed", "0")
SAME, DIFFERENT = "same", "DIFFERENT"
WEIGHTS = ("*.safetensors", "*.txt")


@dataclass(frozen=True)
class Job:
    """One run.

    Attributes:
        train: The data to fit, below the data folder.
        predicted: The rows to predict.
        test: The test rows; None: those that come with the data, or a part that is held out.
        options: Further options of `rarebird fit`.
    """

    train: str
    predicted: str
    test: str | None = None
    options: Sequence[str] = STEPS


JOBS = {
    "table": Job("tables/german.train.csv", "tables/german.test.csv", "tables/german.test.csv"),
    "series": Job("series/DistalPhalanxTW_TRAIN.tsv", "series/DistalPhalanxTW_TEST.tsv"),
    "pictures": Job("images/pneumoniamnist.npz", "images/pneumoniamnist.npz"),
    "ensemble": Job(
        "tables/glass.train.csv", "tables/glass.test.csv", "tables/glass.test.csv", ("--recipe", str(ENSEMBLE))
    ),
}


def rarebird(*arguments: str) -> None:
    """Run the command line in a process of its own.

    Raises:
        SystemExit: The command failed; its own message is shown.
    """
    one_thread = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    command = [sys.executable, "-m", "rarebird", *arguments]
    done = subprocess.run(command, env=os.environ | one_thread, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command)}\nended with code {done.returncode}:\n{done.stderr}")


def run(name: str, data: Path, folder: Path) -> None:
    """Fit a job's data and predict its rows: a run's folder and a CSV file in `folder`."""
    job = JOBS[name]
    test = [] if job.test is None else ["--test", str(data / job.test)]
    out = str(folder / name)
    rarebird("fit", str(data / job.train), *test, *job.options, "--device", "cpu", "--out", out, "--quiet")
    rarebird("predict", out, str(data / job.predicted), "--device", "cpu", "--out", f"{out}.csv")


def compare(name: str, before: Path, after: Path) -> Iterator[tuple[str, str]]:
    """Each item of a job, and what the comparison of both folders gives: `SAME`, possibly with a remark, or
    `DIFFERENT`."""
    yield f"{name}: recipe", _bytes(before / name / "recipe.toml", after / name / "recipe.toml")
    folders = (before / name / "model", after / name / "model")
    names = sorted({path.name for folder in folders for pattern in WEIGHTS for path in folder.glob(pattern)})
    found = {_bytes(*(folder / one for folder in folders)) for one in names}
    yield f"{name}: weights", SAME if found == {SAME} else DIFFERENT
    yield f"{name}: predictions", _columns(before / f"{name}.csv", after / f"{name}.csv")


def _bytes(before: Path, after: Path) -> str:
    same = before.is_file() and after.is_file() and before.read_bytes() == after.read_bytes()
    return SAME if same else DIFFERENT


def _columns(before: Path, after: Path) -> str:
    if _bytes(before, after) == SAME:
        return SAME
    if not (before.is_file() and after.is_file()):
        return DIFFERENT
    old, new = (_table(path) for path in (before, after))
    if any(new.get(column) != values for column, values in old.items()):
        return DIFFERENT
    added = [column for column in new if column not in old]
    return f"{SAME}, with more columns: {', '.join(added)}" if added else f"{SAME}, in another order of columns"


def _table(path: Path) -> dict[str, tuple[str, ...]]:
    """Column -> its values as text."""
    with path.open(newline="", encoding="utf-8") as file:
        return {column: tuple(values) for column, *values in zip(*csv.reader(file), strict=True)}


def check(names: Sequence[str], data: Path, recorded: Path) -> bool:
    """Repeat the recorded runs and print the comparison of each item; whether all are the same."""
    all_same = True
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            run(name, data, Path(folder))
            for item, found in compare(name, recorded, Path(folder)):
                print(f"{item:<24}{found}", flush=True)
                all_same = all_same and found != DIFFERENT
    return all_same


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["record", "check"])
    parser.add_argument("folder", type=Path, help="where the recorded runs are kept")
    parser.add_argument("--jobs", nargs="+", choices=list(JOBS), default=list(JOBS))
    parser.add_argument("--data", type=Path, default=SHARED)
    arguments = parser.parse_args()
    if arguments.what == "check":
        sys.exit(not check(arguments.jobs, arguments.data, arguments.folder))
    arguments.folder.mkdir(parents=True, exist_ok=True)
    for name in arguments.jobs:
        run(name, arguments.data, arguments.folder)
        print(f"{name}: recorded", flush=True)


if __name__ == "__main__":
    main()
