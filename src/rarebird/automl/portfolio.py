"""Strong recipes per kind, in the order in which a search tries them: first those that gain most for their time.

The order and the settings were chosen on held-out rows of the development sets' training files
(`benchmarks/portfolio.py`, NOTES.md). The default recipe of `recipe.defaults` is always one of them; it may use all
remaining time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from rarebird.automl.candidate import Role
from rarebird.automl.pretrained import IN_CONTEXT, Pretrained
from rarebird.data.dataset import Dataset, Frame, Splits
from rarebird.experiment.self_supervision import learning_without_labels
from rarebird.recipe.fine_tuning import EPOCHS, fine_tuned
from rarebird.recipe.recipe import Recipe
from rarebird.slots import methods
from rarebird.training.step_plan import DEFAULT_EPOCHS

# Fewer steps than this share of a recipe's own show little about it, so that it does not start.
ENOUGH = 0.6
# With fewer passes over its rows than this, the default network has learned nothing yet, so that it does not start.
FEWEST_PASSES = 4.0
# These steps, with large batches, solve a convex problem.
LINEAR_STEPS, LINEAR_BATCH, PIXELS_BATCH = 200, 512, 256
# Most rows whose head is solved on all features of kernels or patches; beyond, a decomposition of that size takes too
# long, and fewer features are decomposed, whatever the number of rows.
SOLVED_ROWS = 3_000
FEW_KERNELS = "network={name=multirocket_hydra,kernels=252,groups=8}"
FEW_SHAPELETS = "network={name=shapelets,count=300}"
FEW_PATCHES = "network={name=random_patches,patches=96}"
# Solved in a second; the weights of classes and the penalty are chosen by leave-one-out.
RIDGE = "head={name=ridge,class_weight=chosen}"
KERNEL = "network={name=random_fourier,width=0.5}"
# Rows from which more and larger trees learn more than 200 rounds do: california-housing, r2 on a fifth of its training
# rows, .817 after 200 rounds at a rate of .05 and .844 with these; a fit on all rows in place of nine tenths: +.0004.
MANY_ROWS = 5_000
# Boosted trees grow a tree for each class in each round.
MANY_CLASSES = 30
MANY_TREES = "{name=boosted_trees,rounds=1500,learning_rate=0.03,leaves=31,column_share=0.6}"
# The head of pretrained features. Equal weights of classes against equal weights of rows, five sets, 60 to 900 rows:
# balanced accuracy +.007 (standard error .001), log loss of equal classes -.021 (.003), log loss -.003 (.002).
PROBE_HEAD = {"name": "ridge", "class_weight": "balanced"}
# Most pictures whose pretrained features hold minima and deviations, too: beyond, a decomposition of all of them takes
# 2.5 times as long as without.
STATISTICS_ROWS = 4_000
# Shares of the remaining time of a probe and of a fine-tuning, and fewest passes of the latter, by the number of rows.
# Of many rows a few passes are enough, and fine-tuning gains more than a probe of larger pictures: 9,924 rows, 10
# minutes, balanced accuracy .788 with the shares for many rows, .749 with those for few; 1,075 rows, 2 minutes: .856
# and .873.
TIME_OF_FEW, TIME_OF_MANY = (0.75, 0.6, 6.0), (0.6, 0.75, 3.0)
# A network that learns from unlabeled rows first, and the share of the remaining time for it.
PRETRAINED, PRETRAINED_SHARE = "unlabeled rows first", 0.6
IN_CONTEXT_SHARE = 0.5
SMALL_TREES = "{name=boosted_trees,leaves=4,rounds=150,fewest_rows=5}"


@dataclass(frozen=True)
class PortfolioEntry:
    """A recipe that a race shall train.

    Attributes:
        name: Its name in reports; repeats of a recipe with another seed have the same name.
        recipe: What to train.
        share: The largest share of the remaining time that it may take.
        is_reference: Whether it is a reference: a standard method that a user might choose instead of a network.
        enough: Smallest share of its own steps that must fit into the time; if less fits, it does not start.
        role: Why it is trained.
        parent: For a searched recipe, the name of the candidate that it was searched around; else None.
        must: Whether it is trained even if there is too little time.
        stays: Whether it is trained on all parts even if it is worse than the best; with `must` it stays, too.
        partial: Whether this is a short training, which is only compared with other short trainings and cannot be part
            of the final model.
        settings: For a searched recipe, the values that the search chose.
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


def portfolio(
    train: Dataset, base: Recipe, references: bool = True, weights: Pretrained | None = None
) -> list[PortfolioEntry]:
    """The recipes to try, in this order.

    Args:
        train: Training rows; only their kind, task, number, columns and classes matter.
        base: The default recipe for them.
        references: Whether trees (tables and series), random kernels (series) and random patches (pictures) compete.
        weights: A pretrained network, which competes as a probe and fine-tuned, before the default recipe; it takes the
            place of a linear model of pixels.
    """
    build = {"table": _tables, "series": _series, "image": _pictures}[base.kind]
    entries = build(train, base)
    if weights is not None:
        probe, tuned = _pretrained(train, base, weights)
        entries = [probe, *entries[1:-1], tuned, entries[-1]]
    first, *others = (entry for entry in entries if references or not entry.is_reference)
    # The first entry starts even if few of its rounds fit: a model of some trees is better than none.
    return [replace(first, enough=0.0), *others]


def with_in_context(entries: Sequence[PortfolioEntry], base: Recipe) -> list[PortfolioEntry]:
    """The entries; where the base names the checkpoint of a reference that reads the training rows as its context, that
    reference is the second."""
    if base.reference is None or type(base.reference).name != IN_CONTEXT:
        return list(entries)
    named = PortfolioEntry("in context", base, IN_CONTEXT_SHARE, is_reference=True)
    return [*entries[:1], named, *entries[1:]]


def with_pretraining(entries: Sequence[PortfolioEntry], data: Splits) -> list[PortfolioEntry]:
    """The entries; where there are unlabeled rows, the network of the default recipe comes also as it learns from these
    first, before it."""
    if data.unlabeled is None:
        return list(entries)
    place, default = next((place, one) for place, one in enumerate(entries) if one.role == "default")
    recipe = learning_without_labels(default.recipe, data)
    learned = PortfolioEntry(f"{default.name}, {PRETRAINED}", recipe, PRETRAINED_SHARE, enough=default.enough)
    return [*entries[:place], learned, *entries[place:]]


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
    # Classes get equal weights: on skewed tables this suits best a linear model, which has a single direction.
    balanced = ["loss=weighted"] if train.task == "classification" else []
    # Cross-fitting means few rows, or few of a class: more rounds then only learn these by heart.
    is_large = len(train) >= MANY_ROWS and not base.folds
    trees = _with(base, [f"reference={MANY_TREES}"])
    many = [PortfolioEntry("boosted trees, many rounds", trees, 0.5, is_reference=True)] if is_large else []
    entries = [
        PortfolioEntry("boosted trees", _with(base, ["reference=boosted_trees"]), 0.4, is_reference=True),
        *many,
        PortfolioEntry("linear", _with(base, [*linear, *balanced]), 0.3),
        PortfolioEntry("extra trees", _with(base, ["reference=extra_trees"]), 0.3, is_reference=True),
        PortfolioEntry("ridge", _with(base, ["network=linear", RIDGE]), 0.2),
        PortfolioEntry("kernel ridge", _with(base, [KERNEL, RIDGE]), 0.2),
        _default("mlp", base),
        PortfolioEntry("boosted trees, small", _with(base, [f"reference={SMALL_TREES}"]), 0.4, is_reference=True),
        PortfolioEntry("mlp, one layer", _with(base, ["network={name=mlp,depth=1,width=64,dropout=0.5}"]), 0.4),
    ]
    quick = _quickest(train)
    return sorted(entries, key=lambda entry: entry.name != quick)


def _quickest(train: Dataset) -> str:
    """The name of the entry that comes first. Boosted trees look at each column, for each class, in each round: of 400
    rows with 20,000 columns, 200 rounds take 90 s, while ridge, which is solved between the rows, takes one. Extra
    trees are grown once for all classes."""
    assert isinstance(train.source, Frame)
    if len(train.source.frame.columns) > len(train):
        return "ridge"
    return "extra trees" if train.n_classes > MANY_CLASSES else "boosted trees"


def _series(train: Dataset, base: Recipe) -> list[PortfolioEntry]:
    many = len(train) > SOLVED_ROWS
    kernels = FEW_KERNELS if many else "network=multirocket_hydra"
    shapelets = FEW_SHAPELETS if many else "network=shapelets"
    return [
        PortfolioEntry("quant", _with(base, ["reference=quant"]), 0.4, is_reference=True),
        PortfolioEntry("kernels", _with(base, [kernels, "head=ridge"]), 0.9, is_reference=True),
        PortfolioEntry("shapelets", _with(base, [shapelets, "head=ridge"]), 0.6, is_reference=True),
        _default("inception time", base),
    ]


def _pictures(train: Dataset, base: Recipe) -> list[PortfolioEntry]:
    # A second or two: where the time is too short for a network with filters, it is better than nothing. Three image
    # sets, 3 parts, 200 steps: balanced accuracy .40, .95, .72 at this rate, .38, .94, .69 at a tenth of it.
    batch = min(PIXELS_BATCH, len(train))
    linear = [
        "network=linear",
        "augmentation=[]",
        f"batch_size={batch}",
        f"epochs={LINEAR_STEPS * batch / len(train):g}",
        "optimizer={name=adamw,learning_rate=0.01,weight_decay=1.0}",
        "regularization=[ema]",
    ]
    return [
        PortfolioEntry("linear, pixels", _with(base, linear), 0.2),
        _patches(train, base),
        _default("residual network", base),
    ]


def _patches(train: Dataset, base: Recipe) -> PortfolioEntry:
    """Features that need no weights of others, and a solved head: ready in seconds."""
    patches = FEW_PATCHES if len(train) > SOLVED_ROWS else "network=random_patches"
    settings = [patches, "head=ridge", "augmentation=[]", "regularization=[]"]
    return PortfolioEntry("patches", _with(base, settings), 0.4, is_reference=True)


def _pretrained(train: Dataset, base: Recipe, weights: Pretrained) -> list[PortfolioEntry]:
    """A pretrained network whose frozen features a solved head reads, and the same network fine-tuned.

    The probe takes one pass over the rows, at a size of pictures that the time allows, and cannot be shortened.
    Fine-tuning starts only where some passes over the rows fit.
    """
    network: Any = weights.network
    is_open = "pooling" in type(network).model_fields and "pooling" not in network.model_fields_set
    if len(train) > STATISTICS_ROWS and is_open:
        network = network.model_copy(update={"pooling": "roots"})
    started = base.updated(network=network, transfer=weights.transfer)
    solved = started.updated(
        stages="linear_probe", head=methods.build("head", PROBE_HEAD), augmentation=(), regularization=()
    )
    share, tuned_share, fewest = TIME_OF_MANY if len(train) > STATISTICS_ROWS else TIME_OF_FEW
    return [
        PortfolioEntry("pretrained probe", solved, share),
        PortfolioEntry("pretrained, tuned", fine_tuned(started), tuned_share, enough=fewest / EPOCHS),
    ]


def _default(name: str, base: Recipe) -> PortfolioEntry:
    """The default recipe; it always stays, because a network may be needed to search around, or to distil to."""
    passes = FEWEST_PASSES / (base.epochs or DEFAULT_EPOCHS)
    return PortfolioEntry(name, base, enough=passes, role="default", stays=True)


def _with(base: Recipe, settings: Sequence[str]) -> Recipe:
    return base.with_settings(list(settings))
