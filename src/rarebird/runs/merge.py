"""Merge saved models: folders of models that share a start and labelled rows in, a folder with one network out."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from rarebird.compression.measurement import ClassCost, Size, class_costs, size_of
from rarebird.compression.merging import WAYS, Way, check_mergeable, merged
from rarebird.compression.subject import subject_of, trained_of
from rarebird.core.checks import DataError, nearest
from rarebird.core.progress import Progress, silent
from rarebird.data.dataset import Dataset, Splits
from rarebird.data.prepare import Prepared
from rarebird.data.split import halves
from rarebird.evaluation import held_out
from rarebird.evaluation.result import Scores
from rarebird.model.model import Model
from rarebird.model.rows import read
from rarebird.recipe import ensemble
from rarebird.report.compression_text import merge_summary
from rarebird.runs import predict as prediction
from rarebird.runs.cards import changed_cards
from rarebird.runs.output_folder import owned_folder
from rarebird.runs.request import Request
from rarebird.training.cross_fit import CrossFit
from rarebird.training.inference import logits

RESULT, MODEL = "merge.json", "model"
FILES = (RESULT, MODEL)
# A merged network that is worse than the mean of the networks' predictions by more than this is said to be so.
LOSES = 0.01


@dataclass(frozen=True, eq=False)
class Merged:
    """A finished merge.

    Attributes:
        way: How weights were put together.
        losses: Way -> mean over the classes of the log loss on the rows that choose.
        together, alone: Scores on the rows that report, of the mean of all networks' predictions and of the merged one.
        sizes: Of both.
        costs: Change of each class's recall from the first to the second.
        out: The folder.
        notes: Sentences for the user.
    """

    way: Way
    losses: dict[Way, float]
    together: Scores
    alone: Scores
    sizes: tuple[Size, Size]
    costs: Sequence[ClassCost]
    out: Path
    notes: tuple[str, ...]

    def for_machines(self) -> dict[str, Any]:
        """The content of `merge.json`, which ``merge --json`` prints."""
        metrics = [
            {name: value.model_dump(mode="json") for name, value in scores.metrics.items()}
            for scores in (self.together, self.alone)
        ]
        return {
            "model": str(self.out / MODEL),
            "way": self.way,
            "losses": self.losses,
            "networks_together": {"bytes": self.sizes[0].bytes, "metrics": metrics[0]},
            "merged": {"bytes": self.sizes[1].bytes, "metrics": metrics[1]},
            "per_class": [vars(cost) for cost in self.costs],
            "notes": list(self.notes),
        }

    def text(self) -> str:
        """What the command prints."""
        return merge_summary(
            self.way, (self.together, self.alone), self.sizes, self.costs, str(self.out / MODEL), self.notes
        )


def merge(paths: Sequence[Path], request: Request, way: str = "auto", progress: Progress = silent) -> Merged:
    """Merge the networks of saved models into one, and write it.

    Args:
        paths: Folders of models, or of the runs that hold them.
        request: Rows that no network learned from, and the folder to write. Of split data, the validation rows choose
            and the test rows report; otherwise one half chooses and the other reports.
        way: One of `WAYS`, or ``auto``: the one with the smallest loss on the rows that choose.
        progress: Called as the work proceeds.

    Raises:
        DataError: The models cannot be merged, or the rows not be used; nothing has been written.
    """
    if way not in (*WAYS, "auto"):
        raise DataError(f"There is no way {way!r}; {nearest(way, (*WAYS, 'auto'))}")
    models = [prediction.load(path, "cpu") for path in paths]
    members = [member for model in models for member in model.members]
    recipes = [recipe for model in models for _, recipe in _recipes(model)]
    check_mergeable(members, [json.dumps(recipe.network.settings(), sort_keys=True) for recipe in recipes])
    with owned_folder(request, FILES) as out:
        progress(0.0, "reading the data")
        model = models[0]
        splits = _split(_read(model, request))
        choosing = splits.val
        assert choosing is not None

        def loss(network: nn.Module, prepared: Prepared) -> float:
            return class_mean_loss(network, prepared, choosing)

        tried = [one for one in WAYS if way in (one, "auto")]
        found = {one: merged(members, one, splits.train, loss) for one in tried}
        losses = {one: loss(member.network, member.prepared) for one, member in found.items()}
        best = min(losses, key=lambda one: losses[one])
        recipe = recipes[0].updated(relaid=())
        trained = [replace(trained_of(members[0]), network=found[best].network, prepared=found[best].prepared)]
        fit = CrossFit(recipe, trained, [np.arange(len(choosing))])
        alone = subject_of(replace(model, recipe=recipe), [fit], splits).model
        together = _all_together(models, recipes, splits)
        result = _compared(best, losses, together, alone, splits, out.path)
        with out.replacing(last=RESULT) as building:
            what = f"The weights of {len(members)} networks were merged into one by `rarebird merge`."
            replace(alone, cards=changed_cards(model.cards, what, result.text())).save(building / MODEL)
            text = json.dumps(result.for_machines(), indent=1, ensure_ascii=False, allow_nan=False)
            (building / RESULT).write_text(text, encoding="utf-8", errors="backslashreplace")
        out.finished()
    return result


def class_mean_loss(network: nn.Module, prepared: Prepared, rows: Dataset) -> float:
    """The mean over the classes of the log loss of a network's raw outputs; of regression the mean squared error."""
    outputs = logits(network, prepared.inputs(rows))
    if rows.task == "regression":
        assert rows.y is not None
        return float(np.square(prepared.values(outputs)[:, 0] - rows.y).mean())
    shifted = outputs - outputs.max(axis=1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    each = -log_p[np.arange(len(rows)), rows.codes]
    return float(np.mean([each[rows.codes == code].mean() for code in np.unique(rows.codes)]))


def _recipes(model: Model) -> list[tuple[float, Any]]:
    """The recipe of each member."""
    recipes = ensemble.members(model.recipe)
    return [(member.weight, recipes[member.place][1]) for member in model.members]


def _all_together(models: Sequence[Model], recipes: Sequence[Any], splits: Splits) -> Model:
    """All networks of the models as one whose predictions are averaged, calibrated on the rows that choose."""
    members = [member for model in models for member in model.members]
    held = [np.arange(len(splits.val or ()))] * len(members)
    fit = CrossFit(recipes[0], [trained_of(member) for member in members], held)
    return subject_of(replace(models[0], recipe=fit.recipe), [fit], splits).model


def _compared(way: Way, losses: dict[Way, float], together: Model, alone: Model, splits: Splits, out: Path) -> Merged:
    rows = splits.test
    assert rows is not None
    outputs = [model.outputs(rows) for model in (together, alone)]
    scores = [
        held_out.scores_of_outputs(model, rows, one) for model, one in zip((together, alone), outputs, strict=True)
    ]
    costs = class_costs(rows, *(m.labels(one) for m, one in zip((together, alone), outputs, strict=True)))
    name = "balanced_accuracy" if rows.n_classes else "r2"
    was, now = (one.metrics[name].value or 0.0 for one in scores)
    notes = []
    if now < was - LOSES:
        notes.append(
            f"The merged network is worse than the networks together ({name} {now:.3f} against {was:.3f}): their "
            "weights do not lie in one basin. Distil them instead: rarebird compress MODEL --steps distill."
        )
    sizes = (size_of(together, rows), size_of(alone, rows))
    return Merged(way, losses, scores[0], scores[1], sizes, costs, out, tuple(notes))


def _read(model: Model, request: Request) -> Splits:
    options = replace(request.read, schema=model.row_schema)
    splits = read(model.spec, model.target, request.data, True, options)
    val, test = (None if part is None else part.aligned(model.classes) for part in (splits.val, splits.test))
    return replace(splits, train=splits.train.aligned(model.classes), val=val, test=test)


def _split(splits: Splits) -> Splits:
    """Rows for statistics, rows that choose (`val`) and rows that report (`test`)."""
    if splits.val is not None and splits.test is not None:
        return splits
    rows = splits.test if splits.test is not None else splits.val if splits.val is not None else splits.train
    half = halves(rows, 0)
    if min((half == 0).sum(), (half == 1).sum()) < 1:
        raise DataError(f"{rows.name} has too few rows: one half chooses, and the other reports.")
    first, second = rows.take(half == 0), rows.take(half == 1)
    whole = rows is splits.train
    return replace(splits, train=first if whole else splits.train, val=first, test=second)
