"""Chest X-rays of which the training rows keep 60 of 3,494 pneumonias: what new rows of the rare class give, at equal
time.

    python benchmarks/thinned_pneumonia.py [ARM ...] [--budget 60s | --steps N] [--seeds 0 1 2] [--keep 60]
    python benchmarks/thinned_pneumonia.py [GENERATOR ...] --sheet FILE [--made-steps 1000]

Each seed keeps other 60 pneumonias, and all arms train the same network on them and on the 1,214 normal pictures. The
budget is that of a whole run, the time that a generator learns included, so that plain training takes more steps;
generators need some minutes, and fill the pneumonias to .3 of the normal pictures. The test rows are the set's own, of
other patients, and are scored once by each run; a line per arm gives balanced accuracy and average precision of the
pneumonias, the mean over seeds, and the difference to plain augmentation with the interval of a paired bootstrap over
test rows. The gate's verdict on a generator comes before its line; rows that it rejects are not learned from, unless
with --ungated, which does not ask it. With --steps in place of the budget the figures do not depend on the machine's
load; generators then take --made-steps. ``--sheet`` draws made pneumonias of each generator below real ones of the test
rows, and trains nothing else.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw
from sklearn.metrics import average_precision_score

from rarebird.core.clock import Clock, seconds_of
from rarebird.core.compute import Compute
from rarebird.data.dataset import Splits
from rarebird.experiment.run import run
from rarebird.readers import read
from rarebird.readers.options import ReadOptions
from rarebird.recipe.defaults import default_recipe
from rarebird.slots import methods

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data" / "images"
PNEUMONIA, DRAWS, SHOWN = 1, 500, 12
BALANCED = "batch_sampling=class_balanced"
ARMS = {
    "none": ["augmentation=[]"],
    "augmentation": [],
    "feature_smote": ["augmentation.feature_smote={}", BALANCED],
    "gan": ["synthesis={name=gan,ratio=0.3}"],
    "vae": ["synthesis={name=vae,ratio=0.3}"],
    "diffusion": ["synthesis={name=diffusion,ratio=0.3}"],
}


def thinned(data: Splits, keep: int, seed: int) -> Splits:
    """The set with `keep` training rows of the pneumonias, drawn by the seed, and without its validation rows."""
    draw = np.random.default_rng(seed)
    codes = data.train.codes
    kept = np.concatenate(
        [np.flatnonzero(codes != PNEUMONIA), draw.permutation(np.flatnonzero(codes == PNEUMONIA))[:keep]]
    )
    return Splits(data.train.take(np.sort(kept)), test=data.test)


def scored(arm: str, data: Splits, seed: int, arguments: argparse.Namespace) -> tuple[np.ndarray, np.ndarray]:
    """``(n,)`` each: whether the label of each test row is right, and the probability of pneumonia."""
    recipe = default_recipe(data.train, seed=seed).with_settings(["folds=0", "holdout=0.2"])
    steps = [] if arguments.steps is None else [f"steps={arguments.steps}"]
    made = [f"synthesis.steps={arguments.made_steps}"] if arguments.steps and "synthesis" in str(ARMS[arm]) else []
    settings = [word for word in ARMS[arm] if not word.startswith("augmentation.feature_smote")]
    recipe = recipe.with_settings([*settings, *steps, *made])
    if arm == "feature_smote":
        recipe = recipe.updated(augmentation=[*recipe.augmentation, "feature_smote"])
    budget = None if arguments.steps is not None else seconds_of(arguments.budget)
    if arguments.ungated and recipe.synthesis is not None:
        recipe = recipe.with_settings([f'synthesis.classes=["{data.train.classes[PNEUMONIA]}"]'])
    outcome = run(recipe, data, clock=Clock(budget, time.monotonic()), copies=None)
    if (found := outcome.result.synthesis) is not None:
        told = [one for verdict in found.verdicts for one in verdict.classes]
        print("".join(f"{'':4}{arm}, seed {seed}: {one.reason}\n" for one in told), end="", flush=True)
    probabilities = outcome.model.outputs(data.test)
    return outcome.model.labels(probabilities) == data.test.codes, probabilities[:, PNEUMONIA]


def balanced(right: np.ndarray, codes: np.ndarray) -> float:
    """Balanced accuracy of rows ``(..., n)``."""
    return float(np.mean([right[..., codes == code].mean() for code in np.unique(codes)]))


def sheet(data: Splits, names: list[str], steps: int) -> Image.Image:
    """A line of real pneumonias that no generator saw, and a line of made ones for each generator."""
    draw = np.random.default_rng(0)
    real = data.test.take(draw.permutation(np.flatnonzero(data.test.codes == PNEUMONIA))[:SHOWN])
    lines = {"real, of the test rows": real.raw()}
    for name in names:
        method = methods.build("synthesis", {"name": name, "steps": steps})
        fitted = method.fit(data.train, Compute(), np.random.default_rng(0))  # type: ignore[attr-defined]
        lines[f"{name}, {steps} steps"] = fitted.sample(PNEUMONIA, SHOWN, np.random.default_rng(1)).raw()
    size = 2 * real.raw().shape[-1]
    image = Image.new("L", (SHOWN * (size + 2), len(lines) * (size + 16)), 255)
    for place, (title, rows) in enumerate(lines.items()):
        top = place * (size + 16)
        ImageDraw.Draw(image).text((2, top + 2), title, fill=0)
        for column, picture in enumerate(rows[:, 0]):
            image.paste(Image.fromarray(picture).resize((size, size)), (column * (size + 2), top + 14))
    return image


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("arms", nargs="*", metavar="ARM", help=f"default all: {', '.join(ARMS)}")
    parser.add_argument("--data", type=Path, default=SHARED / "pneumoniamnist.npz")
    parser.add_argument("--budget", default="60s")
    parser.add_argument("--steps", type=int)
    parser.add_argument("--made-steps", type=int, default=1000, help="of the generators, with --steps")
    parser.add_argument("--sheet", type=Path, help="draw made pneumonias beside real ones to this file, and end")
    parser.add_argument("--ungated", action="store_true", help="learn from new rows without asking the gate")
    parser.add_argument("--keep", type=int, default=60)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    arguments = parser.parse_args()
    data = read(arguments.data, ReadOptions())
    assert data.test is not None
    data = replace(data, test=data.test.aligned(data.train.classes))
    if arguments.sheet is not None:
        names = arguments.arms or [name for name in ARMS if "synthesis" in str(ARMS[name])]
        sheet(thinned(data, arguments.keep, arguments.seeds[0]), names, arguments.made_steps).save(arguments.sheet)
        return
    codes = data.test.codes
    draws = np.random.default_rng(0)
    samples = [
        np.concatenate([draws.choice(own, len(own)) for own in (np.flatnonzero(codes == code) for code in (0, 1))])
        for _ in range(DRAWS)
    ]
    plain: np.ndarray | None = None
    names = sorted(arguments.arms or ARMS, key=lambda name: name != "augmentation")
    print(f"{'':16}balanced accuracy  average precision  difference to augmentation", flush=True)
    for arm in names:
        parts = [scored(arm, thinned(data, arguments.keep, seed), seed, arguments) for seed in arguments.seeds]
        right, positive = (np.stack(part) for part in zip(*parts, strict=True))
        precision = np.mean([average_precision_score(codes == PNEUMONIA, one) for one in positive])
        line = f"{arm:16}{balanced(right, codes):>17.3f}{precision:>19.3f}"
        plain = right if arm == "augmentation" else plain
        if plain is not None and arm != "augmentation":
            found = [balanced(right[:, rows], codes[rows]) - balanced(plain[:, rows], codes[rows]) for rows in samples]
            low, high = np.quantile(found, [0.025, 0.975])
            line += f"     {balanced(right, codes) - balanced(plain, codes):+.3f} [{low:+.3f}, {high:+.3f}]"
        print(line, flush=True)


if __name__ == "__main__":
    main()
