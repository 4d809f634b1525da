"""Which methods of each slot apply to a data set, and why: simple rules on kind, task, number of rows and class counts.

A method is listed if its card names the kind of data and the rule of its slot gives a reason. The rules read names and
cards; they import no method:

- remedies that change class frequencies need a largest class with at least 1.5 times the rows of the smallest;
- resampling needs two rows of the rarest class, unless it draws rows at random;
- a loss serves the tasks that its file names; one of pairs needs two classes, and one that learns from a teacher is
  never proposed; calibration and decision are for classes;
- early stopping needs 2000 rows, and 50 of the rarest class, because held-out rows decide when to stop;
- methods that only help when rows are few (augmentation, regularization) are listed below 100,000 rows.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict

from rarebird.data.dataset import Dataset
from rarebird.data.row_counts import rows_of
from rarebird.slots import methods

SKEWED = 1.5
_FEW_ROWS = 100_000
_STOPPING_ROWS = (2000, 50)
_PLURAL = {"image": "pictures", "table": "tables", "series": "time series"}


class Applicable(BaseModel):
    """A method worth trying, and why."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    slot: str
    method: str
    why: str


@dataclass(frozen=True)
class Facts:
    """What the rules look at.

    Attributes:
        classes: Whether the task is classification.
        n: Training rows.
        n_classes: Classes that have rows; 0 for regression.
        rarest: Rows of the rarest of these classes; all rows for regression.
        ratio: Rows of the largest class over those of the smallest of these, a row of weight k counting for k; 1 for
            regression.
        counted: How many rows the training rows count for.
        counted_rarest: How many rows the rows of the rarest class count for.
    """

    kind: str
    classes: bool
    n: int
    n_classes: int
    rarest: int
    ratio: float
    counted: float
    counted_rarest: float

    @property
    def skewed(self) -> bool:
        """Whether class frequencies differ enough for remedies against it."""
        return self.classes and self.ratio >= SKEWED


def applicable_methods(train: Dataset) -> list[Applicable]:
    """Every method that applies to the training rows, slot by slot in the order in which the data pass them."""
    facts = facts_of(train)
    applicable = []
    for slot, rule in _RULES.items():
        for card in methods.cards(slot):
            why = rule(card.name, facts) if facts.kind in card.kinds else ""
            if why:
                applicable.append(Applicable(slot=slot, method=card.name, why=why))
    return applicable


def facts_of(train: Dataset) -> Facts:
    """The facts of the training rows."""
    n, rows = len(train), rows_of(train.weights)
    if train.task == "regression":
        return Facts(train.kind, False, n, 0, n, 1.0, rows.sum(), rows.sum())
    of_class = np.bincount(train.codes)
    present = np.flatnonzero(of_class)
    counts, fewest = np.bincount(train.codes, rows)[present], int(of_class[present].min())
    return Facts(train.kind, True, n, len(present), fewest, imbalance_ratio(counts), rows.sum(), float(counts.min()))


def imbalance_ratio(counts: Sequence[float] | np.ndarray) -> float:
    """Rows of the largest class over those of the smallest class that has rows; 1 without classes."""
    present = np.asarray(counts)[np.asarray(counts) > 0]
    return float(present.max() / present.min()) if len(present) else 1.0


def _external(_: str, __: Facts) -> str:
    return "joins rows of another source with the same classes, where there are any (--external)"


def _synthesis(_: str, facts: Facts) -> str:
    if not facts.skewed or not _few(facts):
        return ""
    return f"makes new rows of rare classes, which a gate must pass; the rarest class has {_rows(facts.rarest)}"


def _resampling(name: str, facts: Facts) -> str:
    if not facts.skewed or (facts.rarest < 2 and "random" not in name):
        return ""
    return f"evens out class sizes, which differ {facts.ratio:.3g}-fold; the rarest class has {_rows(facts.rarest)}"


def _batch_sampling(name: str, facts: Facts) -> str:
    if name == "shuffled":
        return "the baseline: shows every row once per epoch"
    return f"shows the rarest class ({_rows(facts.rarest)}) more often" if facts.skewed else ""


def _augmentation(_: str, facts: Facts) -> str:
    return f"adds variety to {_rows(facts.n)}; only for changes that keep the label true" if _few(facts) else ""


def _few(facts: Facts) -> bool:
    return facts.counted < _FEW_ROWS


def _network(_: str, facts: Facts) -> str:
    return f"works on {_PLURAL[facts.kind]}; there are {_rows(facts.n)} to learn from"


def _transfer(name: str, facts: Facts) -> str:
    # The other methods need a file or a run, which only the user can name.
    return f"learns from rows without labels; {_rows(facts.n)} have one" if name == "self_supervised" else ""


def _reference(name: str, _: Facts) -> str:
    if name == "in_context":  # needs a file, which only the user can name
        return ""
    return "the usual choice instead of a network, judged on the same splits"


def _head(_: str, facts: Facts) -> str:
    if facts.kind == "image" or not _few(facts):
        return ""
    return "solves a linear head on frozen features (network=linear has them) exactly, and judges it without folds"


def _loss(name: str, facts: Facts) -> str:
    if ("classification" if facts.classes else "regression") not in _tasks_of(name) or name == "distillation":
        return ""
    if not facts.classes:
        return "for a target of numbers"
    if name == "cross_entropy":
        return "the baseline: learns the class frequencies of the data as they are"
    if name == "auc":
        return (
            "learns to rank the rows of two classes, however rare one is"
            if facts.skewed and facts.n_classes == 2
            else ""
        )
    return f"works against class sizes that differ {facts.ratio:.3g}-fold" if facts.skewed else ""


@cache
def _tasks_of(loss: str) -> tuple[str, ...]:
    """The tasks that a loss serves, read from the text of its file, because importing it would import torch."""
    tree = ast.parse(methods.path_of("loss", loss).read_text(encoding="utf-8"))
    named = (
        node.value for node in ast.walk(tree) if isinstance(node, ast.AnnAssign) and ast.unparse(node.target) == "tasks"
    )
    value = next(named, None)
    if value is None:  # a method that has them from the one that it derives from
        inherited: Any = methods.load("loss", loss)
        return tuple(inherited.tasks)
    return tuple(ast.literal_eval(value))


def _regularization(name: str, facts: Facts) -> str:
    if name == "early_stopping":
        n, rarest = _STOPPING_ROWS
        enough = facts.counted >= n and (not facts.classes or facts.counted_rarest >= rarest)
        return "there are enough held-out rows to decide when to stop" if enough else ""
    return f"keeps a network from memorizing {_rows(facts.n)}" if _few(facts) else ""


def _any_data(_: str, __: Facts) -> str:
    return "depends on the network, not on the data"


def _calibration(name: str, facts: Facts) -> str:
    if not facts.classes or ("prior" in name and not facts.skewed):
        return ""
    return f"makes probabilities match the facts; the rarest class has {_rows(facts.rarest)} to fit them on"


def _decision(name: str, facts: Facts) -> str:
    if not facts.classes:
        return ""
    if name == "argmax":
        return "the baseline: the most probable class"
    if name == "balanced":
        return f"treats every class alike; class sizes differ {facts.ratio:.3g}-fold" if facts.skewed else ""
    # The others need a cost or a floor, which only the user knows.
    if name != "threshold":
        return ""
    return f"chooses among {facts.n_classes} classes for a stated goal, without changing the probabilities"


def _rows(n: int) -> str:
    return f"{n:,} row" + ("" if n == 1 else "s")


_RULES: dict[str, Callable[[str, Facts], str]] = {
    "external": _external,
    "synthesis": _synthesis,
    "resampling": _resampling,
    "batch_sampling": _batch_sampling,
    "augmentation": _augmentation,
    "network": _network,
    "transfer": _transfer,
    "reference": _reference,
    "head": _head,
    "loss": _loss,
    "regularization": _regularization,
    "optimizer": _any_data,
    "schedule": _any_data,
    "calibration": _calibration,
    "decision": _decision,
}
