"""Compress a saved model: a model's folder and its training data in, a folder with the smaller model out."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

from rarebird.compression.distillation import patient
from rarebird.compression.feasibility import check_steps
from rarebird.compression.sequence import Measured, compressed
from rarebird.compression.steps import NAMES, Settings
from rarebird.compression.subject import Subject, fits_of, subject_of
from rarebird.core.checks import DataError, nearest
from rarebird.core.clock import Clock
from rarebird.core.compute import Compute
from rarebird.core.progress import Progress, silent
from rarebird.data import split
from rarebird.data.dataset import Splits
from rarebird.data.fingerprint import fingerprint
from rarebird.experiment.setup import Setup, prepare_run
from rarebird.model.model import Model
from rarebird.recipe import ensemble
from rarebird.recipe.defaults import default_recipe
from rarebird.recipe.ensemble import Ensemble
from rarebird.recipe.recipe import Recipe
from rarebird.report.compression_text import summary
from rarebird.report.left_out import why_left_out
from rarebird.report.pages import compression as page_file
from rarebird.runs import predict as prediction
from rarebird.runs.cards import changed_cards
from rarebird.runs.output_folder import OutputFolder, owned_folder
from rarebird.runs.request import Request, read_data
from rarebird.slots import methods
from rarebird.slots.protocols import Network
from rarebird.training.cross_fit import Parts, parts_of
from rarebird.training.device import threads
from rarebird.training.fine_tuning import on_one_cpu
from rarebird.training.timing import usable_threads

RESULT, MODEL, PAGE = "compression.json", "model", "compression.html"
FILES = (RESULT, MODEL, PAGE)


@dataclass(frozen=True, eq=False)
class Compressed:
    """A finished compression.

    Attributes:
        measured: The given model and the model after each step.
        chosen: The last one that keeps the floor, which was saved.
        most_drop: The floor: how far the recall of a class may fall.
        out: The folder.
        notes: Sentences for the user.
    """

    measured: Sequence[Measured]
    chosen: Measured
    most_drop: float
    out: Path
    notes: tuple[str, ...]

    def for_machines(self) -> dict[str, Any]:
        """The content of `compression.json`, which ``compress --json`` prints."""
        return {
            "model": str(self.out / MODEL),
            "chosen": self.chosen.step,
            "max_recall_drop": self.most_drop,
            "steps": [_plain(one) for one in self.measured],
            "notes": list(self.notes),
        }

    def text(self) -> str:
        """What the command prints."""
        return summary(self.measured, self.chosen, self.most_drop, str(self.out / MODEL), self.notes)


def compress(
    model_path: Path,
    request: Request,
    names: Sequence[str],
    settings: Settings,
    most_drop: float,
    clock: Clock | None,
    progress: Progress = silent,
) -> Compressed:
    """Compress a model step by step, and write the last model that keeps the floor for every class.

    Args:
        model_path: Folder of a model, or of the run that holds it.
        request: The data of its training, read as then, and the folder to write.
        names: Steps among `NAMES`.
        settings: How they work.
        most_drop: How far the recall of a class may fall.
        clock: A budget for all steps; None: trainings take their recipes' steps.
        progress: Called as the work proceeds; True from it ends a training early.

    Raises:
        DataError: Model, data or steps cannot be used; nothing has been written.
    """
    _check_asked(request, names, settings, most_drop)
    model = prediction.load(model_path, "cpu")
    if names[0] != NAMES[0]:
        check_steps((member.network for member in model.members), names, settings)
    with owned_folder(request, FILES) as out, threads(usable_threads(clock, request.threads)):
        progress(0.0, "reading the data")
        splits, notes = _read(model, model_path, request)
        setup = prepare_run(model.recipe, splits, device="cpu", positive=model.positive)
        _check_classes(model, setup.splits)
        model = replace(model, prior=setup.splits.train.prior)  # natural, where the model's own is one that was stated
        original = subject_of(model, _fits(model, setup, names), setup.splits)
        student = _with_settings(_student(request, model, original), request, settings.synthesis)
        if names[0] == NAMES[0]:
            check_steps([cast(Network, student.network).build(model.spec)], names[1:], settings)
        settings = replace(settings, student=student)
        compute = Compute("cpu", None if clock is None else clock.training_deadline(), progress)
        measured = compressed(original, names, settings, most_drop, compute)
        chosen = [one for one in measured if one.kept][-1]
        found = Compressed(measured, chosen, most_drop, out.path, (*notes, *setup.splits.notes))
        with out.replacing(last=RESULT) as building:
            changed = changed_cards(model.cards, "The model was made smaller by `rarebird compress`.", found.text())
            replace(chosen.subject.model, cards=changed).save(building / MODEL)
            text = json.dumps(found.for_machines(), indent=1, ensure_ascii=False, allow_nan=False)
            (building / RESULT).write_text(text, encoding="utf-8", errors="backslashreplace")
        found = _with_page(found, out)
        out.finished()
    return found


def _with_page(found: Compressed, out: OutputFolder) -> Compressed:
    """Write the page; with a note where that fails: model and figures are there by then."""
    try:
        with out.replacing() as building:
            page_file.write(building / PAGE, found.for_machines())
    except Exception as error:
        note = f"{PAGE} could not be written{why_left_out(error)}; {RESULT} is complete."
        return replace(found, notes=(*found.notes, note))
    return found


def settings_of(**given: Any) -> Settings:
    """Settings of the steps from checked options of a command."""
    return Settings(**given)


def _check_asked(request: Request, names: Sequence[str], settings: Settings, most_drop: float) -> None:
    """Refuse what cannot be done, before anything is read.

    Raises:
        DataError: A step does not exist, comes twice, or a number is out of its range.
    """
    unknown = [name for name in names if name not in NAMES]
    if unknown:
        raise DataError(f"There is no step {unknown[0]!r}; {nearest(unknown[0], NAMES)}")
    if not names or len(set(names)) < len(names):
        raise DataError("--steps names each step once, such as --steps distill,prune,quantize.")
    if list(names) != sorted(names, key=NAMES.index):
        raise DataError(f"The steps are taken in the order {', '.join(NAMES)}; give them so.")
    if not 0 < settings.share < 1:
        raise DataError(f"--share is above 0 and below 1, the share that is removed, but got {settings.share:g}.")
    if not 0 <= most_drop < 1:
        raise DataError(f"--max-recall-drop is at least 0 and below 1, but got {most_drop:g}.")
    given = "--unlabeled" if request.unlabeled is not None else "--synthesis" if settings.synthesis is not None else ""
    if given and names[0] != NAMES[0]:
        raise DataError(f"Rows of {given} teach a student only; take the step distill, or leave them out.")


def _read(model: Model, model_path: Path, request: Request) -> tuple[Splits, tuple[str, ...]]:
    """The rows of the model's training, as it needs them, and notes on whether they are the same.

    Raises:
        DataError: The rows are of another kind, or others than those of the training.
    """
    spec, options = model.spec, request.read
    if options.kind not in (None, spec.kind):
        raise DataError(f"The model was trained on data of kind {spec.kind!r}, not {options.kind!r}.")
    shape = (spec.channels, spec.height, spec.width) if spec.kind == "image" else None
    options = replace(options, kind=spec.kind, task=spec.task, target=options.target or _target(model))
    splits = read_data(replace(request, read=replace(options, image_shape=shape)))
    if splits.train.task == "classification" and splits.train.classes != model.classes:
        _check_classes(model, splits)
    known = _fingerprint(model_path)
    if known is None:
        return splits, ("The model's folder does not tell which rows it learned from: give the same --data as then.",)
    if known != fingerprint(splits.train):
        raise DataError(
            f"{request.data} holds other rows than those that the model was trained on, so that rows it learned from "
            "could judge it; give the data of its training, read with the same options."
        )
    return splits, ()


def _target(model: Model) -> str | None:
    return model.target if model.spec.kind == "table" else None


def _fingerprint(model_path: Path) -> str | None:
    """The fingerprint of the training rows that a run's folder records; None where there is none."""
    for folder in (model_path, model_path.parent):
        try:
            plain = json.loads((folder / "data.json").read_text(encoding="utf-8"))
            return str(plain["fingerprint"])
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return None


def _check_classes(model: Model, splits: Splits) -> None:
    if splits.train.classes != model.classes:
        raise DataError(
            f"The rows have the classes {', '.join(splits.train.classes[:5])}, but the model predicts "
            f"{', '.join(model.classes[:5])}; give the data that it was trained on."
        )


def _fits(model: Model, setup: Setup, names: Sequence[str]) -> list[Any]:
    """The model's networks with the rows that they held out.

    Raises:
        DataError: No network held out any row, so that none can judge.
    """
    fits = fits_of(model, setup.splits, [_parts(model, one, setup) for _, one in ensemble.members(model.recipe)])
    if not all(sum(map(len, models.held_rows)) for models in fits):
        raise DataError(
            "The head of this model was solved on all training rows, so that no row can judge a smaller one; give "
            "validation rows, or distil it with `rarebird fit --single`."
        )
    return fits


def _parts(model: Model, recipe: Recipe, setup: Setup) -> Parts:
    """The parts on which a recipe's networks were trained."""
    train = setup.splits.train
    if setup.splits.val is None and recipe.folds == 0 and recipe.holdout is None:
        # A student: `distillation.student_rows` has set these rows aside.
        learned, held = split.sides(train, 0.2, recipe.seed, "student")
        return [(learned.nonzero()[0], held.nonzero()[0])]
    parts = setup.parts(recipe.seed if setup.protocol.folds else model.recipe.seed)
    own = parts_of(recipe, setup.splits, parts)
    return own if own is parts else [(rows, rows[:0]) for rows, _ in own]


def _student(request: Request, model: Model, original: Subject) -> Recipe:
    """The recipe to distil to: the given one, or that of the model's network with the largest weight."""
    if request.recipe is not None:
        given = ensemble.read(request.recipe)
        if isinstance(given, Ensemble):
            raise DataError(
                f"{request.recipe} holds an ensemble, but a student is one network; write one of its members "
                "to a file of its own."
            )
        return given
    networks = [
        (weight, one) for weight, one in ensemble.members(model.recipe) if one.reference is None and one.head is None
    ]
    if not networks:
        base = default_recipe(original.splits.train, model.recipe.metric, model.recipe.seed)
        return patient(base.updated(decision=model.recipe.decision))
    best = on_one_cpu(max(networks, key=lambda pair: pair[0])[1])
    decision = model.recipe.decision if isinstance(model.recipe, Ensemble) else best.decision
    return patient(best.updated(decision=decision, metric=model.recipe.metric, seed=model.recipe.seed))


def _with_settings(recipe: Recipe, request: Request, synthesis: str | None) -> Recipe:
    """The student's recipe with a generator, if one is named, and with the request's ``--set`` assignments.

    Raises:
        DataError: The recipe is for other data, there is no such generator, or an assignment does not fit.
    """
    if synthesis is not None:
        known = methods.names("synthesis", recipe.kind)
        if synthesis not in known:
            raise DataError(f"There is no --synthesis {synthesis!r}; {nearest(synthesis, known)}")
        recipe = recipe.updated(synthesis=methods.build("synthesis", {"name": synthesis}))
    return recipe.with_settings(list(request.settings)) if request.settings else recipe


def _plain(one: Measured) -> dict[str, Any]:
    metrics = {name: value.model_dump(mode="json") for name, value in one.scores.metrics.items()}
    return {
        "step": one.step,
        "kept": one.kept,
        "seconds": round(one.seconds, 2),
        "note": one.note,
        "bytes": one.size.bytes,
        "parameters": one.size.parameters,
        "nonzero_parameters": one.size.nonzero,
        "latency": [
            {"threads": count, "batch": batch, "seconds": seconds}
            for (count, batch), seconds in one.size.seconds.items()
        ],
        "metrics": metrics,
        "per_class": [vars(cost) for cost in one.test_costs or one.costs],
        "per_class_held_out": [vars(cost) for cost in one.costs],
        "explanations": [vars(reason) for reason in one.reasons],
    }
