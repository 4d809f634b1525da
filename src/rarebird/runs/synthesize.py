"""`synthesize`: a path in, new rows of one class out, with the verdict of the gate and a page beside them.

The generator learns from the training rows: given validation and test rows are left out, and so are copies of theirs.
For the verdict it is also fitted to parts of the rows, so a budget is shared by all these trainings.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from rarebird.core import rng
from rarebird.core.checks import DataError, nearest
from rarebird.core.clock import Clock
from rarebird.core.compute import Compute
from rarebird.core.progress import Progress, part_of, silent
from rarebird.data import prepare
from rarebird.data.dataset import Dataset, Splits
from rarebird.data.plain_features import plain_features
from rarebird.data.row_counts import counted
from rarebird.experiment.setup import separate
from rarebird.methods.synthesis import _gate
from rarebird.metrics.near_rows import distances
from rarebird.recipe.recipe import Recipe
from rarebird.runs import generator_files, row_files
from rarebird.runs.over_sampler import OverSampler
from rarebird.runs.request import Request, read_data, resolve_recipe
from rarebird.slots import methods
from rarebird.slots.gate_verdict import ClassVerdict, GateVerdict
from rarebird.slots.synthetic_rows import Generated, Synthesis
from rarebird.training.device import choose_device, threads
from rarebird.training.timing import usable_threads

AUTO = "auto"
# Resampling methods whose new rows the gate can judge, for comparison.
OVER_SAMPLERS = ("smote",)
# Of the time, for all fits of generators; the rest is for the gate's figures and the page.
FITTING_SHARE = 0.7


@dataclass(frozen=True)
class Asked:
    """What rows are asked for.

    Attributes:
        label: Their class.
        rows: How many.
        method: A generator, an over-sampler, or ``auto``: the generator with the best verdict.
        out: The file or folder to write; None: a usual name.
        generator: Folder of the fitted generator: one that is there draws without learning again, otherwise it is
            written; None: it is not kept.
    """

    label: str
    rows: int
    method: str = AUTO
    out: Path | None = None
    generator: Path | None = None


@dataclass(frozen=True, eq=False)
class Fitted:
    """A method, what it learned, and the gate's verdicts, its own first."""

    method: Any
    generated: Generated
    verdicts: tuple[GateVerdict, ...]


@dataclass(frozen=True, eq=False)
class NewRows:
    """New rows of a class.

    Attributes:
        train: The training rows.
        made: The new rows.
        recipe: With the method and its settings; without one, an over-sampler made the rows.
        method: The name of the method.
        verdicts: The gate's verdict on each method that was tried; that of the chosen one comes first.
        neighbors: ``(n,)`` position of the nearest training row of each new one.
        notes: Sentences for the user.
    """

    train: Dataset
    made: Dataset
    recipe: Recipe
    method: str
    verdicts: tuple[GateVerdict, ...]
    neighbors: np.ndarray
    notes: tuple[str, ...]

    @property
    def verdict(self) -> ClassVerdict:
        """On the rows that were made."""
        return self.verdicts[0].classes[0]

    def sentence(self) -> str:
        """Number, class, method and verdict."""
        passed = "passes them" if self.verdict.passes else "rejects them"
        return (
            f"{len(self.made)} new rows of {self.verdict.label!r} by {self.method}; the gate {passed}: "
            f"{self.verdict.reason}."
        )

    def for_machines(self) -> dict[str, Any]:
        """What the command prints with ``--json``."""
        return {
            "kind": self.train.kind,
            "class": self.verdict.label,
            "rows": len(self.made),
            "method": self.method,
            "passes": self.verdict.passes,
            "reason": self.verdict.reason,
            "verdicts": [verdict.model_dump(mode="json") for verdict in self.verdicts],
            "notes": list(self.notes),
        }


def synthesize(request: Request, asked: Asked, clock: Clock, progress: Progress = silent) -> NewRows:
    """Fit a generator, ask the gate, and draw the rows; nothing is written.

    Raises:
        DataError: The data, the class, the method or a setting cannot be used.
    """
    progress(0.0, "reading the data")
    data = read_data(request, clock)
    recipe = resolve_recipe(replace(request, settings=()), None, data)
    assert isinstance(recipe, Recipe)
    train = data.train
    if train.task != "classification":
        raise DataError(f"{train.name} has a numerical target, but new rows are made of a class.")
    if asked.label not in train.classes:
        raise DataError(f"{train.name} has no class {asked.label!r}; {nearest(asked.label, train.classes)}")
    if asked.out is not None:
        row_files.check_suffix(asked.out, train.kind)
    if asked.generator is not None:
        generator_files.check_place(asked.generator)
    candidates = _candidates(request, asked, recipe, train)
    progress(0.0, "looking for copies")
    splits = separate(Splits(train, notes=data.notes), recipe, 0)
    train, notes = splits.train, [*splits.notes, *_left_out(data)]
    compute = Compute(choose_device(request.device), None, progress)
    with threads(usable_threads(clock, request.threads)):
        code, seed = train.classes.index(asked.label), recipe.seed
        if asked.generator is not None and generator_files.is_there(asked.generator):
            fitted = _restored(asked.generator, train, code, compute, seed)
            notes.append(f"The generator is that of {asked.generator}.")
        else:
            planned = _planned(candidates, train, compute, clock)
            fitted = _fitted(planned, train, code, compute, seed)
            notes += _shortened(candidates, planned)
        made = fitted.generated.sample(code, asked.rows, rng.stream(seed, "synthesize", asked.label))
    method = fitted.method
    if asked.generator is not None and not isinstance(method, OverSampler):
        generator_files.save(asked.generator, method, fitted.generated, train, fitted.verdicts)
    chosen = recipe if isinstance(method, OverSampler) else recipe.updated(synthesis=method)
    return NewRows(train, made, chosen, str(method.name), fitted.verdicts, neighbors_of(train, made), tuple(notes))


def _fitted(candidates: Mapping[str, Synthesis], train: Dataset, code: int, compute: Compute, seed: int) -> Fitted:
    """The candidate with the best verdict, fitted to all training rows."""
    judged = []
    for place, one in enumerate(candidates.values()):
        part = part_of(compute.progress, 0.8 * place / len(candidates), 0.8 / len(candidates))
        judged.append((_gate.judge(one, train, [code], Compute(compute.device, None, part), seed), one))
    judged.sort(key=lambda pair: _rank(pair[0]))
    method = judged[0][1]
    telling = Compute(compute.device, None, part_of(compute.progress, 0.8, 0.2))
    generated = method.fit(counted(train), telling, rng.stream(seed, "synthesize"))
    return Fitted(method, generated, tuple(verdict for verdict, _ in judged))


def _restored(folder: Path, train: Dataset, code: int, compute: Compute, seed: int) -> Fitted:
    """A generator that was saved; the gate judges a class that it has not judged yet."""
    method, generated, verdicts = generator_files.load(folder, train)
    label = train.classes[code]
    own = [verdict for verdict in verdicts if verdict.method == method.name]
    known = [one for verdict in own for one in verdict.classes if one.label == label]
    if not known:
        known = list(_gate.judge(method, train, [code], compute, seed).classes)
    verdict = GateVerdict(method=method.name, parts=_gate.PARTS, classes=tuple(known[:1]))
    return Fitted(method, generated, (verdict,))


def _candidates(request: Request, asked: Asked, recipe: Recipe, train: Dataset) -> Mapping[str, Synthesis]:
    """The methods to try, by name.

    Raises:
        DataError: There is no such method for this kind of data, or a setting does not exist.
    """
    known = methods.names("synthesis", train.kind)
    over = [name for name in OVER_SAMPLERS if name in methods.names("resampling", train.kind)]
    if asked.method in over:
        settings = [one for one in request.settings if not one.startswith("resampling.")]
        if settings:
            raise DataError(
                f"{asked.method} is a resampling; its settings are resampling.KEY, but got {settings[0]!r}."
            )
        changed = recipe.updated(resampling=methods.build("resampling", {"name": asked.method}))
        resampling: Any = changed.with_settings(list(request.settings)).resampling
        sampler: Any = OverSampler(resampling)
        return {asked.method: sampler}
    if asked.method != AUTO and asked.method not in known:
        raise DataError(
            f"There is no method {asked.method!r} for data of kind {train.kind!r}; "
            f"{nearest(asked.method, [AUTO, *known, *over])}"
        )
    found: dict[str, Any] = {}
    for name in known if asked.method == AUTO else [asked.method]:
        changed = recipe.updated(synthesis=methods.build("synthesis", {"name": name}))
        found[name] = changed.with_settings(list(request.settings)).synthesis
    return found


def _planned(candidates: Mapping[str, Any], train: Dataset, compute: Compute, clock: Clock) -> Mapping[str, Synthesis]:
    """The methods with as many steps as the time allows; each is fitted to every part for the gate, and then to all
    rows if it is chosen."""
    deadline = clock.training_deadline()
    if deadline is None:
        return candidates
    seconds = FITTING_SHARE * max(deadline - time.monotonic(), 0.0) / (_gate.PARTS * len(candidates) + 1)
    planned: dict[str, Any] = {}
    for name, method in candidates.items():
        has_steps = not isinstance(method, OverSampler)
        planned[name] = method.planned(counted(train), compute, seconds) if has_steps else method
    return planned


def _shortened(wanted: Mapping[str, Any], planned: Mapping[str, Any]) -> list[str]:
    """A sentence on each generator that takes fewer steps than it was asked for."""
    return [
        f"{name} learned for {planned[name].steps:,} of {method.steps:,} steps, because of --budget; more time makes "
        "better rows."
        for name, method in wanted.items()
        if not isinstance(method, OverSampler) and planned[name].steps < method.steps
    ]


def _rank(verdict: GateVerdict) -> tuple[bool, float]:
    """Methods that pass come first; of these, the one whose rows are the hardest to tell from real ones."""
    own = verdict.classes[0]
    areas = [figure.value for figure in own.figures if figure.name == "tree_area"]
    return not own.passes, areas[0] if areas else 1.0


def neighbors_of(train: Dataset, made: Dataset) -> np.ndarray:
    """``(n,)`` the nearest training row of each new one, by columns divided by their spread."""
    real, new = plain_features((train, made), prepare.fit(train)[0])
    spread = real.std(axis=0)
    varies = spread > 1e-9
    places = [
        distances(new[start : start + 256, varies] / spread[varies], real[:, varies] / spread[varies]).argmin(axis=1)
        for start in range(0, len(new), 256)
    ]
    return np.concatenate(places) if places else np.zeros(0, np.int64)


def _left_out(data: Splits) -> Sequence[str]:
    given = [
        f"{len(part)} {what}" for part, what in ((data.val, "validation"), (data.test, "test")) if part is not None
    ]
    return (
        [f"The given {' and '.join(given)} rows are left out; new rows are made from training rows."] if given else []
    )
