"""What compression saves and what it forgets: the tables of docs/compression.md.

    python benchmarks/compression.py saves ../shared/data/images/pneumoniamnist.npz --network resnet --steps 300
    python benchmarks/compression.py forgets ../shared/data/images/fashion_lt100.npz --steps 600 --seeds 3 \\
        --network '{name=cnn,width=12,dense=96}'
    python benchmarks/compression.py standardizes ../shared/data/series/ECG5000_TRAIN.tsv --steps 300 --seeds 3 \\
        --test ../shared/data/series/ECG5000_TEST.tsv

`saves` trains one network and takes each step alone and all in a row: bytes, latency, recall per class. `forgets`
compares, from the same trained networks, each step as it is usual (`plain`: importance by magnitude, rows as they come)
with how `rarebird compress` does it (`balanced`: classes count equally; `floor`: what it then ships, the last model in
which no class loses more than .02 of recall on held-out rows, or the given one): recall of the five rarest and the five
commonest classes. `standardizes` distils with and without standardized logits, at three temperatures.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
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
from rarebird.training.fine_tuning import fine_tuned, fine_tuning_recipe
from rarebird.training.trainer import Trained

RAREST, MOST_DROP = 5, 0.02


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


def originals(data: Splits, network: str, steps: int, seeds: int) -> Iterator[tuple[int, Setup, Subject]]:
    """For each seed, the rows as they are split, and the network before it is made smaller."""
    for seed in range(seeds):
        recipe = recipe_for(data, network, steps, seed)
        setup = prepare_run(recipe, data, device="cpu", copies=None)
        yield seed, setup, trained(setup.settled(recipe), setup)


def forgets(data: Splits, network: str, steps: int, seeds: int) -> None:
    """A table of the recalls of the rarest and the commonest classes, and in how many seeds the floor took the step."""
    rows: dict[str, list[tuple[float, ...]]] = {}
    for seed, setup, original in originals(data, network, steps, seeds):
        for name, model in variants(original, setup):
            found = (*recalls(model, setup.splits), float(model is not original.model))
            rows.setdefault(name, []).append(found)
            print(f"seed {seed} {name}: rarest {found[0]:.3f}, commonest {found[1]:.3f}", flush=True)
    print("\n| | five rarest | five commonest | changed |\n|---|---|---|---|")
    for name, each in rows.items():
        table = np.array(each)
        print(f"| {name} | {spread(table[:, 0])} | {spread(table[:, 1])} | {table[:, 2].sum():.0f} of {len(each)} |")


def spread(values: np.ndarray) -> str:
    return f"{values.mean():.3f} ± {values.std(ddof=min(1, len(values) - 1)):.3f}"


def variants(original: Subject, setup: Setup) -> Iterator[tuple[str, Model]]:
    """Name -> model, each from the same network."""
    yield "original", original.model
    for way in ("plain", "balanced"):
        again = trained_further(original, trained_further(original, original.fits[0].trained[0], way), way)
        yield f"trained further, {way}", original.with_trained([[again]]).model
    for share in (0.5, 0.7, 0.9):
        for way, importance in (("plain", "magnitude"), ("balanced", "taylor")):
            settings = Settings(share=share, importance=importance, teaching=Teaching(balanced=way == "balanced"))
            rounds = list(pruned(original, settings, Compute()))
            yield f"prune {share:.0%}, {way}", rounds[-1].model
        yield f"prune {share:.0%}, balanced, floor", shipped(original, rounds)
    for way in ("plain", "balanced"):
        settings = Settings(student=halved(original), teaching=Teaching(balanced=way == "balanced"))
        (student,) = distilled(original, settings, Compute())
        yield f"distill to half the width, {way}", student.model
    yield "distill to half the width, balanced, floor", shipped(original, [student])
    one = original.fits[0].trained[0]
    plain = Float32Twin(one.network, one.prepared, as_they_come(original.learned_rows(0, 0)))
    yield "int8, plain", original.with_networks([[plain.int8()]]).model
    yield "int8, balanced", next(quantized(original, Settings(), lambda model: True, Compute())).model
    *_, int8 = quantized(original, Settings(), lambda model: keeps(original, model), Compute())
    yield "int8, balanced, floor", shipped(original, [int8])
    for way in ("plain", "balanced"):
        yield from soup(original, setup, way)


def keeps(original: Subject, model: Subject) -> bool:
    return keeps_floor(held_out_costs(original, model), MOST_DROP)


def shipped(original: Subject, tried: Sequence[Subject]) -> Model:
    """The last one before the floor breaks; the given model, where the first one breaks it."""
    best = original
    for one in tried:
        if not keeps(original, one):
            break
        best = one
    return best.model


def halved(original: Subject) -> Recipe:
    """The recipe of a network of half the width."""
    recipe = original.fits[0].recipe
    sizes = {name: getattr(recipe.network, name) // 2 for name in ("width", "dense") if hasattr(recipe.network, name)}
    return recipe.with_settings([f"network.{name}={value}" for name, value in sizes.items()])


def standardizes(data: Splits, network: str, steps: int, seeds: int) -> None:
    """A table of students with and without standardized logits: balanced accuracy, rarest recalls and log loss."""
    rows: dict[str, list[tuple[float, ...]]] = {}
    for seed, setup, original in originals(data, network, steps, seeds):
        models = {"teacher": original.model}
        for temperature in (1.0, 2.0, 4.0):
            for standardized in (False, True):
                teaching = Teaching(temperature=temperature, balanced=True, standardized=standardized)
                (student,) = distilled(original, Settings(student=halved(original), teaching=teaching), Compute())
                models[f"T={temperature:g}{', standardized' if standardized else ''}"] = student.model
        for name, model in models.items():
            rows.setdefault(name, []).append(quality(model, setup.splits))
            print(f"seed {seed} {name}: {' '.join(f'{value:.3f}' for value in rows[name][-1])}", flush=True)
    print("\n| | balanced accuracy | rarest half of the classes | log loss |\n|---|---|---|---|")
    for name, each in rows.items():
        print(f"| {name} | {' | '.join(spread(column) for column in np.array(each).T)} |")


def quality(model: Model, splits: Splits) -> tuple[float, float, float]:
    """Balanced accuracy, mean recall of the rarer half of the classes and log loss, on the test rows."""
    test = splits.test
    assert test is not None
    outputs = model.outputs(test)
    each = recall_of_classes(model.labels(outputs), test)
    order = np.argsort(splits.train.class_counts)
    own = np.clip(outputs[np.arange(len(test)), test.codes], 1e-7, None)
    return float(np.nanmean(each)), float(np.nanmean(each[order[: len(order) // 2]])), float(-np.log(own).mean())


def as_they_come(rows: Dataset) -> Dataset:
    """Rows of which balancing takes a random part: all count as one class."""
    chosen = rows.take(np.random.default_rng(0).permutation(len(rows))[:512])
    return replace(chosen, y=np.zeros(len(chosen), dtype=np.int64), classes=("all",))


def trained_further(original: Subject, before: Trained, way: str, number: int = 0) -> Trained:
    """A network after a fine-tuning as those of a pruning; `number` names its draws."""
    recipe = fine_tuning_recipe(original.fits[0].recipe, balanced=way == "balanced")
    rows = original.learned_rows(0, 0)
    after = fine_tuned(recipe, before.network, before.prepared, rows, number)
    return replace(before, network=after.network, prior_factor=after.prior_factor)


def soup(original: Subject, setup: Setup, way: str) -> Iterator[tuple[str, Model]]:
    """Three fine-tunings of one network on other batches: together, and as one mean of weights."""
    first = original.fits[0].trained[0]
    tuned = [trained_further(original, first, way, number) for number in range(3)]
    held = original.fits[0].held_rows[0]
    fit = replace(original.fits[0], trained=tuned, held_rows=[held] * 3)
    together = subject(fit, setup)
    scored = original.scored.take(held)
    member = merged(
        together.model.members,
        "uniform" if way == "plain" else "greedy",
        original.learned_rows(0, 0),
        lambda network, prepared: class_mean_loss(network, prepared, scored),
    )
    yield f"three fine-tunings together, {way}", together.model
    one = replace(tuned[0], network=member.network, prepared=member.prepared)
    alone = subject(replace(fit, trained=[one], held_rows=[held]), setup)
    yield f"their soup, {way}", alone.model
    if way == "balanced":
        yield f"their soup, {way}, floor", shipped(original, [alone])


def recalls(model: Model, splits: Splits) -> tuple[float, float]:
    """Mean recall of the rarest and of the commonest classes, by training rows, on the test rows."""
    test = splits.test
    assert test is not None
    each = recall_of_classes(model.labels(model.outputs(test)), test)
    order = np.argsort(splits.train.class_counts)
    return float(each[order[:RAREST]].mean()), float(each[order[-RAREST:]].mean())


def recall_of_classes(labels: np.ndarray, test: Dataset) -> np.ndarray:
    """``(n_classes,)`` recall; nan of a class without rows."""
    own = [labels[test.codes == code] == code for code in range(test.n_classes)]
    return np.array([rows.mean() if len(rows) else np.nan for rows in own])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("saves", "forgets", "standardizes"))
    parser.add_argument("data", type=Path)
    parser.add_argument("--test", type=Path)
    parser.add_argument("--network", default="cnn")
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--seeds", type=int, default=3)
    given = parser.parse_args()
    data = read_data(Request(data=given.data, test=given.test))
    if given.what == "saves":
        saves(data, given.network, given.steps)
    elif given.what == "forgets":
        forgets(data, given.network, given.steps, given.seeds)
    else:
        standardizes(data, given.network, given.steps, given.seeds)


if __name__ == "__main__":
    main()
