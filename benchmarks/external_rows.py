"""Do rows of another source help as own rows do, and does a bad source cost nothing?

The training rows of a data set are halved: one half is own, the other comes as another source. Beside it come the same
rows with shuffled labels, with inverted pixels, or with a column in another unit. Each is fitted with the same steps
and judged on the same test rows; `all` has both halves as own rows.

    python benchmarks/external_rows.py fashion_lt100 --seeds 5 --steps 400
    python benchmarks/external_rows.py adult --seeds 5 --set reference=boosted_trees
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from rarebird.data.dataset import Dataset, Frame, Pixels, Splits
from rarebird.experiment.joining import joining
from rarebird.experiment.run import run
from rarebird.readers import read
from rarebird.readers.options import ReadOptions
from rarebird.readers.outside import fitted
from rarebird.recipe.defaults import default_recipe

SETS = {
    "fashion_lt100": ("images/fashion_lt100.npz", None),
    "adult": ("tables/adult.train.csv", "tables/adult.test.csv"),
    "mammography": ("tables/mammography.train.csv", "tables/mammography.test.csv"),
}
METRIC = "balanced_accuracy"


def rows_of(folder: Path, name: str) -> tuple[Dataset, Dataset]:
    """Training and test rows of a data set."""
    train, test = SETS[name]
    found = read(folder / train, ReadOptions())
    if test is None:
        assert found.test is not None
        return found.train, found.test
    schema = found.train.known_schema
    return found.train, read(folder / test, ReadOptions(role="test rows", schema=schema)).train.aligned(
        found.train.classes
    )


def sources(half: Dataset, seed: int) -> Iterator[tuple[str, Dataset]]:
    """The other half as it is, and spoiled."""
    yield "external", half
    assert half.y is not None
    yield "shuffled labels", replace(half, y=np.random.default_rng(seed).permutation(half.y))
    index = np.arange(len(half))
    if isinstance(half.source, Pixels):
        yield "inverted", replace(half, source=Pixels(255 - half.raw()), index=index)
    elif isinstance(half.source, Frame):
        frame = half.raw()
        column = next(name for name in frame if frame[name].dtype.kind in "if" and frame[name].nunique() > 20)
        yield "another unit", replace(half, source=Frame(frame.assign(**{column: frame[column] * 12.0})), index=index)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=sorted(SETS))
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=None)
    parser.add_argument("--rows", type=int, default=None, help="Use this many training rows.")
    parser.add_argument("--set", dest="settings", action="append", default=[])
    options = parser.parse_args()
    train, test = rows_of(options.data, options.name)
    found: dict[str, list[float]] = {}
    for seed in range(options.seeds):
        order = np.random.default_rng(seed).permutation(len(train))[: options.rows]
        own, half = (train.take(np.sort(part)) for part in np.array_split(order, 2))
        base = default_recipe(own, METRIC, seed).updated(steps=options.steps, threads=1)
        base = base.with_settings(options.settings) if options.settings else base
        cases = [("own half", Splits(own, test=test)), ("all", Splits(train.take(np.sort(order)), test=test))]
        cases += [(name, Splits(own, test=test, outside=(fitted(rows, own),))) for name, rows in sources(half, seed)]
        for name, splits in cases:
            result = run(joining(base, splits) if splits.outside else base, splits).result
            assert result.test is not None
            value = result.test.metrics[METRIC].value
            assert value is not None
            found.setdefault(name, []).append(value)
            refused = result.external.sources[0].refused if result.external else ""
            print(f"seed {seed}  {name:<16} {value:.4f}  {refused}", flush=True)
    for name, values in found.items():
        difference = np.array(values) - np.array(found["own half"])
        error = 0.0 if len(values) < 2 else 1.96 * difference.std(ddof=1) / np.sqrt(len(values))
        print(f"{name:<16} {np.mean(values):.4f}  against own half {difference.mean():+.4f} +- {error:.4f}")


if __name__ == "__main__":
    main()
