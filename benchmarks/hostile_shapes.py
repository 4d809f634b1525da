"""Does a fit keep its budget and its memory on shapes that are hard on it? Prints seconds, peak memory and the outcome.

    python benchmarks/hostile_shapes.py [--shape wide --shape tall] [--budget 20s] [--folder DATA]

Each shape is written to a folder, and `rarebird fit` runs on it in a process of its own. The seconds are those of the
whole process, its peak memory is the resident memory that the system reports for it. A line ends with the metric on
the test rows, or with the sentence that the command printed. The exit code is 1 where a fit took longer than 1.1 times
its budget and 10 seconds, used more memory than the shape allows, or ended without a model and without a sentence.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

# A fit may take this factor of its budget, and these seconds on top.
FACTOR, SLACK = 1.1, 10.0
GIB = 2.0**30


def wide(folder: Path, rng: np.random.Generator, rows: int = 400, columns: int = 20_000) -> Path:
    """A table with many more columns than rows; ten columns matter."""
    x = rng.standard_normal((rows, columns)).astype(np.float32)
    y = (x[:, :10].sum(axis=1) + rng.standard_normal(rows) > 1).astype(int)
    return table(folder / "wide.csv", x, np.where(y, "yes", "no"))


def long_series(folder: Path, rng: np.random.Generator, rows: int = 60, steps: int = 100_000) -> Path:
    """Long series of two frequencies, as UCR text."""
    return series(folder / f"series_{rows}_{steps}.tsv", rng, rows, steps)


def middle_series(folder: Path, rng: np.random.Generator) -> Path:
    """Series of ten thousand steps."""
    return long_series(folder, rng, 200, 10_000)


def large_pictures(folder: Path, rng: np.random.Generator, count: int = 150, side: int = 4_000) -> Path:
    """Large pictures of noise on a gradient, in two classes."""
    from PIL import Image

    root = folder / "pictures"
    ramp = np.linspace(0, 120, side).astype(np.uint8)
    for number in range(count):
        label = "stripes" if number % 3 == 0 else "plain"
        (root / label).mkdir(parents=True, exist_ok=True)
        coarse = rng.integers(0, 100, (side // 8, side // 8, 3), dtype=np.uint8)
        pixels = np.kron(coarse, np.ones((8, 8, 1), np.uint8)) + ramp[:, None, None]
        if label == "stripes":
            pixels[::200] = 255
        Image.fromarray(pixels).save(root / label / f"{number}.png", compress_level=1)
    return root


def many_classes(folder: Path, rng: np.random.Generator, rows: int = 20_000, classes: int = 200) -> Path:
    """Clusters of two hundred classes, whose forests are large."""
    y = rng.integers(0, classes, rows)
    centers = rng.standard_normal((classes, 20)) * 1.5
    x = (centers[y] + rng.standard_normal((rows, 20))).astype(np.float32)
    return table(folder / "classes.csv", x, np.char.add("class ", y.astype(str)))


def tall(folder: Path, rng: np.random.Generator, rows: int = 1_000_000, columns: int = 30) -> Path:
    """A table with many rows."""
    x = rng.standard_normal((rows, columns)).astype(np.float32)
    y = x[:, 0] * x[:, 1] + x[:, 2] + rng.standard_normal(rows) > 2
    return table(folder / "tall.csv", x, np.where(y, "rare", "usual"))


def table(path: Path, x: np.ndarray, labels: np.ndarray) -> Path:
    import pandas as pd

    frame = pd.DataFrame(x.round(4), columns=[f"x{place}" for place in range(x.shape[1])])
    frame["target"] = labels
    frame.to_csv(path, index=False)
    return path


def series(path: Path, rng: np.random.Generator, rows: int, steps: int) -> Path:
    time_axis = np.arange(steps)
    with path.open("w", encoding="utf-8") as file:
        for row in range(rows):
            label = row % 2
            wave = np.sin(time_axis * (0.01 + 0.005 * label) + rng.uniform(0, 6)) + rng.standard_normal(steps)
            file.write(f"{label}\t" + "\t".join(np.char.mod("%.4f", wave)) + "\n")
    return path


@dataclass(frozen=True)
class Shape:
    """A data set and its limits.

    Attributes:
        make: Writes it into a folder and returns its path.
        budget: As after ``--budget``; None: the command's.
        most_bytes: Most resident memory of the fit.
    """

    make: Callable[[Path, np.random.Generator], Path]
    budget: str | None = None
    most_bytes: float = 6 * GIB


SHAPES = {
    "wide": Shape(wide),
    "long-series": Shape(long_series),
    "middle-series": Shape(middle_series),
    "large-pictures": Shape(large_pictures),
    "many-classes": Shape(many_classes),
    "tall": Shape(tall, "60s", 3 * GIB),
}


def fitted(data: Path, budget: str, run: Path) -> tuple[float, int, int, str, str]:
    """Seconds, exit code, peak bytes, standard output and error of ``rarebird fit``."""
    command = [sys.executable, "-m", "rarebird", "fit", str(data), "--budget", budget, "--out", str(run), "--json"]
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        start = time.monotonic()
        process = subprocess.Popen(command, stdout=out, stderr=err)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.monotonic() - start
        out.seek(0)
        err.seek(0)
        said = [file.read().decode(errors="replace") for file in (out, err)]
    return seconds, process.returncode, usage.ru_maxrss * 1024, *said


def outcome(code: int, out: str, err: str) -> tuple[str, bool]:
    """What the command ended with, and whether that is a model or one sentence."""
    if code == 0 and out.strip():
        found = json.loads(out)
        metric = next(iter(found["metrics"].items()), ("no metric", {"value": None}))
        return f"{metric[0]} {metric[1]['value']}", True
    lines = err.strip().splitlines()
    return (lines[-1][:200] if lines else f"exit code {code}, no sentence"), code == 2 and len(lines) == 1


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", action="append", choices=sorted(SHAPES), help="only this shape; repeatable")
    parser.add_argument("--budget", default="20s")
    parser.add_argument("--folder", type=Path, help="where the data are kept; default: a temporary folder")
    given = parser.parse_args()
    faults = 0
    with tempfile.TemporaryDirectory() as temporary:
        home = given.folder or Path(temporary)
        for name in given.shape or SHAPES:
            shape = SHAPES[name]
            folder = home / name
            if not folder.is_dir():
                folder.mkdir(parents=True)
                shape.make(folder, np.random.default_rng(0))
            budget = shape.budget or given.budget
            seconds, code, peak, out, err = fitted(next(folder.iterdir()), budget, Path(temporary) / f"run-{name}")
            said, is_answer = outcome(code, out, err)
            limit = FACTOR * float(budget.removesuffix("s")) + SLACK
            holds = is_answer and seconds <= limit and peak <= shape.most_bytes
            faults += not holds
            print(
                f"{name:15s} {seconds:6.1f} s of {limit:4.0f}  {peak / GIB:5.2f} GiB of {shape.most_bytes / GIB:.0f}  "
                f"{'ok  ' if holds else 'FAIL'}  {said}",
                flush=True,
            )
    return int(faults > 0)


if __name__ == "__main__":
    sys.exit(main())
