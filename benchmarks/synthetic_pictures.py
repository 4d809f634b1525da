"""Made pictures of the rarest classes of a long-tailed set: does a classifier of real pictures name the class that was
asked for, and are they copies?

    python benchmarks/synthetic_pictures.py [diffusion gan vae] [--steps N] [--rows 100] [--out FOLDER]

The generators learn from the long-tailed training rows of `fashion_lt100` (the five rarest classes have 40 to 111
pictures). The classifier, which no generator meets, learns from the balanced test rows, 10,000 real pictures; a fifth
of them is held out and gives its own accuracy. For each method and class: the share of made pictures that the
classifier names as the asked class; the share that lies nearer to a training picture of its class than 99 % of real,
held-out pictures of that class do (1 % is expected of new real pictures); and exact copies. FOLDER gets a contact sheet
per method: made pictures, below each its nearest training picture. 15 minutes on two cores are about 5,000 steps of
`diffusion` (64 pictures each) or 4,000 of `gan` (32 each); fewer steps give a shortened figure.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any, cast

import numpy as np
from PIL import Image
from sklearn.metrics import balanced_accuracy_score
from sklearn.svm import SVC

from rarebird.core.compute import Compute
from rarebird.data.dataset import Dataset
from rarebird.readers import read
from rarebird.readers.options import ReadOptions
from rarebird.slots import methods

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data" / "images"
RAREST, SHOWN = 5, 16


def classifier_of(rows: Dataset) -> Any:
    """A support vector machine of pixels, learned from four fifths of the rows; its balanced accuracy on the others is
    printed."""
    order = np.random.default_rng(0).permutation(len(rows))
    held, learned = rows.take(order[: len(rows) // 5]), rows.take(order[len(rows) // 5 :])
    machine = SVC(C=10).fit(cells(learned), learned.codes)
    accuracy = balanced_accuracy_score(held.codes, machine.predict(cells(held)))
    print(
        f"classifier of {len(learned)} real pictures: balanced accuracy {accuracy:.3f} on a held-out fifth", flush=True
    )
    return machine


def cells(rows: Dataset) -> np.ndarray:
    """``(n, pixels)`` in 0..1."""
    return rows.raw().reshape(len(rows), -1).astype(np.float32) / 255


def distances(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """``(n, m)`` Euclidean distances of pictures, in gray levels per pixel."""
    a, b = (part.reshape(len(part), -1).astype(np.float32) for part in (first, second))
    squares = (a**2).sum(1)[:, None] + (b**2).sum(1) - 2 * a @ b.T
    return np.asarray(np.sqrt(np.maximum(squares, 0) / a.shape[1]))


def contact_sheet(made: list[np.ndarray], real: list[np.ndarray]) -> Image.Image:
    """One pair of lines per class: made pictures, and below each its nearest training picture."""
    lines = []
    for new, old in zip(made, real, strict=True):
        nearest = old[distances(new, old).argmin(axis=1)]
        for line in (new, nearest):
            framed = np.pad(line, ((0, 0), (0, 0), (1, 1), (1, 1)), constant_values=90)
            lines.append(np.concatenate(list(framed), axis=2))
    sheet = np.concatenate(lines, axis=1).transpose(1, 2, 0)
    image = Image.fromarray(sheet[:, :, 0] if sheet.shape[2] == 1 else sheet)
    return image.resize((2 * image.width, 2 * image.height), Image.Resampling.NEAREST)


def judged(new: Dataset, real: Dataset, other: Dataset, classifier: Any) -> tuple[float, float, float]:
    """The share of new rows of one class that the classifier names so, that are nearer to training rows than 99 % of
    other real rows, and that equal a training row."""
    named = classifier.predict(cells(new)) == new.codes
    near = np.quantile(distances(other.raw(), real.raw()).min(axis=1), 0.01)
    least = distances(new.raw(), real.raw()).min(axis=1)
    return float(named.mean()), float((least < near).mean()), float((least == 0).mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", default=["diffusion", "gan", "vae"], metavar="METHOD")
    parser.add_argument("--data", type=Path, default=SHARED / "fashion_lt100.npz")
    parser.add_argument("--steps", type=int, help="of the generators; default: their own")
    parser.add_argument("--rows", type=int, default=100, help="made pictures of each class")
    parser.add_argument("--out", type=Path, default=Path("."))
    arguments = parser.parse_args()
    data = read(arguments.data, ReadOptions())
    assert data.test is not None
    train, test = data.train, data.test.aligned(data.train.classes)
    classifier = classifier_of(test)
    arguments.out.mkdir(parents=True, exist_ok=True)
    counts = cast("np.ndarray", train.class_counts)
    rarest = np.argsort(counts, kind="stable")[:RAREST]
    for name in arguments.names:
        settings: dict[str, Any] = {"name": name} | ({"steps": arguments.steps} if arguments.steps else {})
        method: Any = methods.build("synthesis", settings)
        start = time.process_time()
        fitted = method.fit(train, Compute(), np.random.default_rng(0))
        seconds = time.process_time() - start
        print(
            f"\n{name}: {method.steps} steps, {seconds:.0f} s of one core\n{'class':>8}{'rows':>6}  named  near  copies"
        )
        sheet, figures = [], []
        for code in rarest:
            new = fitted.sample(int(code), arguments.rows, np.random.default_rng(int(code)))
            real, other = train.take(train.codes == code), test.take(test.codes == code)
            figures.append(judged(new, real, other, classifier))
            sheet.append((new.raw()[:SHOWN], real.raw()))
            shown = "  ".join(f"{figure:.2f}" for figure in figures[-1])
            print(f"{train.classes[code]:>8}{counts[code]:>6}   {shown}", flush=True)
        print(f"{'mean':>14}   " + "  ".join(f"{figure:.2f}" for figure in np.mean(figures, axis=0)))
        contact_sheet(*zip(*sheet, strict=True)).save(arguments.out / f"{name}.png")


if __name__ == "__main__":
    main()
