"""What compression saves and what it forgets: the tables of docs/compression.md.

    python benchmarks/compression.py saves ../shared/data/images/pneumoniamnist.npz --network resnet --steps 300
    python benchmarks/compression.py forgets ../shared/data/images/fashion_lt100.npz --steps 200 --seeds 3 \\
        --network '{name=cnn,width=12,dense=96}'

`saves` trains one network and takes each step alone and all in a row: bytes, latency, recall per class. `forgets`
compares, from the same trained networks, each step as it is usual (`plain`: importance by magnitude, rows as they come)
with how `rarebird compress` does it (classes count equally): recall of the five rarest and the five commonest classes.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from rarebird.compression.costs import held_out_costs, keeps_floor
from rarebird.compression.distillation import Teaching
from rarebird.compression.merging import merged
from rarebird.compression.quantization import Float32Twin
from rarebird.compression.sequence import compressed
from rarebird.compression.steps import Settings, distilled, pruned, quantized
from rarebird.compression.subject import Subject, subject_of
from rarebird.core.compute import Compute
from rarebird.data.dataset import Dataset, Splits
from rarebird.evaluation.held_outputs import members_of
from rarebird.experiment.setup import Setup, prepare_run
from rarebird.model.model import Model
from rarebird.recipe.defaults import default_recipe
from rarebird.recipe.recipe import Recipe
from rarebird.report.compression_text import summary
from rarebird.runs.merge import class_mean_loss
from rarebird.runs.request import Request, read_data
from rarebird.training.cross_fit import CrossFit, cross_fit_all

RAREST = 5


def recipe_for(data: Splits, network: str, steps: int, seed: int) -> Recipe:
    base = default_recipe(data.train, None, seed)
    return base.with_settings([f"network={network}", f"steps={steps}", f"seed={seed}", "folds=0", "batch_size=64"])


def trained(recipe: Recipe, setup: Setup) -> Subject:
    """A network of its own rows, calibrated on its hold-out."""
    fit = cross_fit_all(recipe, setup.splits, setup.parts(recipe.seed), Compute())
    return subject(fit, setup)


def subject(fit: CrossFit, setup: Setup) -> Subject:
    train = setup.splits.train
    bare = Model(fit.recipe, members_of(fit), None, train.prior, positive=setup.positive)
    return subject_of(bare, [fit], setup.splits)


def saves(data: Splits, network: str, steps: int) -> None:
    """Each step alone, and all in a row."""
    recipe = recipe_for(data, network, steps, 0)
    setup = prepare_run(recipe, data, device="cpu", copies=None)
    original = trained(setup.settled(recipe), setup)
    settings = Settings(student=original.fits[0].recipe)
    for names in (["prune"], ["quantize"], ["prune", "quantize"]):
        found = compressed(original, names, settings, 0.02, Compute())
        print(f"\n## {network}: {', '.join(names)}\n")
        print(summary(found, [one for one in found if one.kept][-1], 0.02, "", ()), flush=True)


def forgets(data: Splits, network: str, steps: int, seeds: int) -> None:
    """A table of the recalls of the rarest and the commonest classes."""
    rows: dict[str, list[tuple[float, float]]] = {}
    for seed in range(seeds):
        recipe = recipe_for(data, network, steps, seed)
        setup = prepare_run(recipe, data, device="cpu", copies=None)
        original = trained(setup.settled(recipe), setup)
        for name, model in variants(original, setup):
            rows.setdefault(name, []).append(recalls(model, setup.splits))
            print(f"seed {seed} {name}: rarest {rows[name][-1][0]:.3f}, commonest {rows[name][-1][1]:.3f}", flush=True)
    print("\n| | rarest five | commonest five |\n|---|---|---|")
    for name, found in rows.items():
        mean, spread = np.mean(found, axis=0), np.std(found, axis=0, ddof=min(1, len(found) - 1))
        cells = " | ".join(f"{m:.3f} ± {s:.3f}" for m, s in zip(mean, spread, strict=True))
        print(f"| {name} | {cells} |")


def variants(original: Subject, setup: Setup) -> Sequence[tuple[str, Model]]:
    """Name -> model, each from the same network."""
    recipe, compute = original.fits[0].recipe, Compute()
    halved = {name: getattr(recipe.network, name) // 2 for name in ("width", "dense") if hasattr(recipe.network, name)}
    small = recipe.with_settings([f"network.{name}={value}" for name, value in halved.items()])
    found: list[tuple[str, Model]] = [("original", original.model)]
    for share in (0.5, 0.7, 0.9):
        for way, importance in (("plain", "magnitude"), ("ours", "taylor")):
            settings = Settings(share=share, importance=importance, teaching=Teaching(balanced=way == "ours"))
            *_, last = pruned(original, settings, compute)
            found.append((f"prune {share:.0%}, {way}", last.model))
    for way in ("plain", "ours"):
        settings = Settings(student=small, teaching=Teaching(balanced=way == "ours"))
        (student,) = distilled(original, settings, compute)
        found.append((f"distill to a smaller network, {way}", student.model))
    learned = original.learned_rows(0, 0)
    one = original.fits[0].trained[0]
    plain = Float32Twin(one.network, one.prepared, as_they_come(learned))
    found.append(("int8, plain", original.with_networks([[plain.int8()]]).model))

    def keeps(model: Subject) -> bool:
        return keeps_floor(held_out_costs(original, model), 0.02)

    *_, int8 = quantized(original, Settings(), keeps)
    return [*found, ("int8, ours", int8.model), *soup(recipe, setup)]


def as_they_come(rows: Dataset) -> Dataset:
    """Rows of which balancing takes a random part: all count as one class."""
    chosen = rows.take(np.random.default_rng(0).permutation(len(rows))[:512])
    return replace(chosen, y=np.zeros(len(chosen), dtype=np.int64), classes=("all",))


def soup(recipe: Recipe, setup: Setup) -> list[tuple[str, Model]]:
    """Three networks of one start, trained on other batches: together, and as one mean of weights."""
    parts = setup.parts(recipe.seed)
    one_start = recipe.updated(same_start=True)
    fit = cross_fit_all(one_start, setup.splits, [parts[0]] * 3, Compute())
    together = subject(fit, setup)
    learned = together.learned_rows(0, 0)
    held = setup.splits.train.take(fit.held_rows[0]) if setup.splits.val is None else setup.splits.val
    member = merged(
        together.model.members, "uniform", learned, lambda network, prepared: class_mean_loss(network, prepared, held)
    )
    mean = replace(fit.trained[0], network=member.network, prepared=member.prepared)
    alone = subject(replace(fit, trained=[mean], held_rows=fit.held_rows[:1]), setup)
    return [("three networks together", together.model), ("soup of the three", alone.model)]


def recalls(model: Model, splits: Splits) -> tuple[float, float]:
    """Mean recall of the rarest and of the commonest classes, by training rows, on the test rows."""
    test = splits.test
    assert test is not None
    labels = model.labels(model.outputs(test))
    each = np.array([(labels[test.codes == code] == code).mean() for code in range(test.n_classes)])
    order = np.argsort(splits.train.class_counts)
    return float(each[order[:RAREST]].mean()), float(each[order[-RAREST:]].mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("saves", "forgets"))
    parser.add_argument("data", type=Path)
    parser.add_argument("--test", type=Path)
    parser.add_argument("--network", default="cnn")
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--seeds", type=int, default=3)
    given = parser.parse_args()
    data = read_data(Request(data=given.data, test=given.test))
    if given.what == "saves":
        saves(data, given.network, given.steps)
    else:
        forgets(data, given.network, given.steps, given.seeds)


if __name__ == "__main__":
    main()
