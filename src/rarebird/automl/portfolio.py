"""Strong recipes per kind, in the order in which a search tries them: those first that cost little beside what they
give.

The order and the settings were chosen on held-out rows of the development sets' training files
(`benchmarks/portfolio.py`, NOTES.md). The default recipe of `rarebird.recipe.defaults` is always among them; it is the
one that gets whatever time there is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from rarebird.automl.entry import Entry
from rarebird.data.dataset import Dataset
from rarebird.recipe.recipe import Recipe
from rarebird.training.network_trainer import DEFAULT_EPOCHS

# A default network that saw its rows fewer times than this says nothing, and is not begun where there is no time for
# more.
FEWEST_PASSES = 4.0
# A convex problem is solved in so many steps of large batches.
LINEAR_STEPS, LINEAR_BATCH = 200, 512
SMALL_TREES = "{name=boosted_trees,leaves=4,rounds=150,fewest_rows=5}"


def portfolio(train: Dataset, base: Recipe, references: bool = True) -> list[Entry]:
    """The recipes to try, cheapest first.

    Args:
        train: Training rows; only their kind, task and number are looked at.
        base: The default recipe for them.
        references: Whether boosted trees (tables) and random kernels (series) compete.
    """
    build = {"table": _tables, "series": _series, "image": _pictures}[base.kind]
    first, *others = (entry for entry in build(train, base) if references or not entry.is_reference)
    # However short its course must be: a model of some trees is better than none.
    return [replace(first, enough=0.0), *others]


def _tables(train: Dataset, base: Recipe) -> list[Entry]:
    batch = min(LINEAR_BATCH, len(train))
    linear = [
        "network=linear",
        f"batch_size={batch}",
        f"epochs={LINEAR_STEPS * batch / len(train):g}",
        "optimizer.learning_rate=0.05",
        "optimizer.weight_decay=0.1",
        "regularization=[ema]",
    ]
    # Weights of each class alike, where there are classes: on skewed tables they serve a linear model's one direction
    # best.
    balanced = ["loss=weighted"] if train.task == "classification" else []
    return [
        Entry("boosted trees", _with(base, ["reference=boosted_trees"]), 0.4, is_reference=True),
        Entry("linear", _with(base, [*linear, *balanced]), 0.3),
        Entry("extra trees", _with(base, ["reference=extra_trees"]), 0.3, is_reference=True),
        _main("mlp", base),
        Entry("boosted trees, small", _with(base, [f"reference={SMALL_TREES}"]), 0.4, is_reference=True),
        Entry("mlp, one layer", _with(base, ["network={name=mlp,depth=1,width=64,dropout=0.5}"]), 0.4),
    ]


def _series(train: Dataset, base: Recipe) -> list[Entry]:
    kernels = [
        "network=random_kernels",
        "optimizer={name=sgd,learning_rate=1.0,weight_decay=3e-4}",
        f"epochs={max(1, 400 * base.batch_size / len(train)):.0f}",
    ]
    return [Entry("random kernels", _with(base, kernels), 0.35, is_reference=True), _main("inception time", base)]


def _pictures(train: Dataset, base: Recipe) -> list[Entry]:
    return [_main("residual network", base)]


def _main(name: str, base: Recipe) -> Entry:
    """The default recipe, which goes through all parts: a network is searched around, or is distilled to."""
    return Entry(name, base, 1.0, enough=FEWEST_PASSES / (base.epochs or DEFAULT_EPOCHS), stays=True)


def _with(base: Recipe, settings: Sequence[str]) -> Recipe:
    return base.with_settings(list(settings))
