"""Strong recipes per kind, in the order in which a search tries them: first those that cost little for their gain.

The order and the settings were chosen on held-out rows of the development sets' training files
(`benchmarks/portfolio.py`, NOTES.md). The default recipe of `recipe.defaults` is always among them; it may take
whatever time there is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from rarebird.automl.candidate import Role
from rarebird.data.dataset import Dataset
from rarebird.recipe.recipe import Recipe
from rarebird.training.step_plan import DEFAULT_EPOCHS

# Steps that are cut below this share of a recipe's own tell little about it, so that it is not begun.
ENOUGH = 0.6
# A default network that sees its rows fewer times than this has learned nothing yet, so that it is not begun where
# there is no time for more.
FEWEST_PASSES = 4.0
# A convex problem is solved in so many steps of large batches.
LINEAR_STEPS, LINEAR_BATCH = 200, 512
SMALL_TREES = "{name=boosted_trees,leaves=4,rounds=150,fewest_rows=5}"


@dataclass(frozen=True)
class PortfolioEntry:
    """A recipe that a race is to train.

    Attributes:
        name: Its name in reports; repeats of one recipe under another seed have the same.
        recipe: What to train.
        share: The largest share that it may take of the time that is left.
        is_reference: Whether it is a reference, what a user would pick instead of a network.
        enough: Share of its own steps for which there must be time.
        role: Why it is trained.
        parent: Name of the candidate that it was searched around; None for all others.
        must: Whether it is trained however little time there is.
        stays: Whether it is trained on all parts even where it is worse; what must be trained stays, too.
        partial: Whether this is a short training that is only compared with others of its kind; it does not finish the
            race.
        settings: What a search chose for it.
    """

    name: str
    recipe: Recipe
    share: float = 1.0
    is_reference: bool = False
    enough: float = ENOUGH
    role: Role = "portfolio"
    parent: str | None = None
    must: bool = False
    stays: bool = False
    partial: bool = False
    settings: Mapping[str, Any] = field(default_factory=dict)


def portfolio(train: Dataset, base: Recipe, references: bool = True) -> list[PortfolioEntry]:
    """The recipes to try, cheapest first.

    Args:
        train: Training rows; only their kind, task and number matter.
        base: The default recipe for them.
        references: Whether boosted trees (tables) and random kernels (series) compete.
    """
    build = {"table": _tables, "series": _series, "image": _pictures}[base.kind]
    first, *others = (entry for entry in build(train, base) if references or not entry.is_reference)
    # However few rounds there is time for: a model of some trees is better than none.
    return [replace(first, enough=0.0), *others]


def _tables(train: Dataset, base: Recipe) -> list[PortfolioEntry]:
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
        PortfolioEntry("boosted trees", _with(base, ["reference=boosted_trees"]), 0.4, is_reference=True),
        PortfolioEntry("linear", _with(base, [*linear, *balanced]), 0.3),
        PortfolioEntry("extra trees", _with(base, ["reference=extra_trees"]), 0.3, is_reference=True),
        _default("mlp", base),
        PortfolioEntry("boosted trees, small", _with(base, [f"reference={SMALL_TREES}"]), 0.4, is_reference=True),
        PortfolioEntry("mlp, one layer", _with(base, ["network={name=mlp,depth=1,width=64,dropout=0.5}"]), 0.4),
    ]


def _series(train: Dataset, base: Recipe) -> list[PortfolioEntry]:
    kernels = [
        "network=random_kernels",
        "optimizer={name=sgd,learning_rate=1.0,weight_decay=3e-4}",
        f"epochs={max(1, 400 * base.batch_size / len(train)):.0f}",
    ]
    return [
        PortfolioEntry("random kernels", _with(base, kernels), 0.35, is_reference=True),
        _default("inception time", base),
    ]


def _pictures(train: Dataset, base: Recipe) -> list[PortfolioEntry]:
    return [_default("residual network", base)]


def _default(name: str, base: Recipe) -> PortfolioEntry:
    """The default recipe, which is trained on all parts: it is a network to search around, or to distil to."""
    passes = FEWEST_PASSES / (base.epochs or DEFAULT_EPOCHS)
    return PortfolioEntry(name, base, enough=passes, role="default", stays=True)


def _with(base: Recipe, settings: Sequence[str]) -> Recipe:
    return base.with_settings(list(settings))
