"""The steps of a compression: each takes a model with the rows that judge it, and gives smaller ones, the most careful
first or the smallest first, of which the sequence keeps one."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

from torch import nn

from rarebird.compression import distillation
from rarebird.compression.costs import held_out_costs
from rarebird.compression.pruning import Importance, without_channels, without_weights
from rarebird.compression.quantization import (
    Float32Twin,
    Way,
    check_quantizable,
    in_half_precision,
    rounded_twin,
)
from rarebird.compression.subject import Subject, subject_of
from rarebird.compression.synthetic_rows import passed_rows
from rarebird.core.clock import end_of_share
from rarebird.core.compute import Compute
from rarebird.data.concatenation import concat
from rarebird.data.dataset import Dataset, Splits
from rarebird.recipe.recipe import Recipe
from rarebird.slots.stored_modules import Precision
from rarebird.training.fine_tuning import fine_tuned, fine_tuning_recipe
from rarebird.training.trainer import Trained

NAMES = ("distill", "prune", "quantize")
Keeps = Callable[[Subject], bool]
# Parts in which channels or weights are removed, with a fine-tuning after each.
ROUNDS = 2


@dataclass(frozen=True)
class Settings:
    """How the steps work.

    Attributes:
        student: The recipe to distil to; None: that of the model's own first network.
        teaching: What the student learns from.
        synthesis: Name of a generator, which the student's recipe holds: it also learns from this one's rows, if the
            gate passes them, labelled by the model; None: it does not.
        prune: ``channels``, which are really removed, or ``weights``, which become zero.
        share: Of the channels or weights that are removed.
        importance: By what channels are compared.
        training_steps: Optimizer steps of each training; None: as many as the recipe says (distillation), or a share of
            these (fine-tuning).
        precision: ``int8``, or a half precision of the weights.
        way: Of int8; ``aware``: after a quantization-aware training. None: dynamic for recurrent networks; for others
            static, and aware where static does not keep the floor.
    """

    student: Recipe | None = None
    teaching: distillation.Teaching = distillation.BALANCED
    synthesis: str | None = None
    prune: Literal["channels", "weights"] = "channels"
    share: float = 0.5
    importance: Importance = "taylor"
    training_steps: int | None = None
    precision: Literal["int8"] | Precision = "int8"
    way: Way | Literal["aware"] | None = None


def distilled(subject: Subject, settings: Settings, compute: Compute) -> Iterator[Subject]:
    """One network that learned from the model's networks.

    Yields:
        The student.

    Raises:
        DataError: The student's recipe is for other data.
    """
    train, members, recipe = subject.splits.train, subject.model.members, settings.student
    assert recipe is not None
    even = distillation.taught_evenly(recipe, settings.teaching)
    teaching = replace(settings.teaching, balanced=even)
    rows = distillation.student_rows(subject.splits, subject.fits, members, compute.device, recipe.seed, teaching)
    if settings.synthesis is not None:
        rows = _with_synthetic(rows, subject, recipe, teaching, compute)
        recipe = recipe.updated(synthesis=None)
    holdout = distillation.common_holdout(subject.splits, subject.fits, recipe.seed)
    student = distillation.student_recipe(recipe, teaching, settings.training_steps, holdout)
    factor = distillation.even_factor(train) if even else None
    models = distillation.train_student(student, rows, compute, factor)
    yield subject_of(subject.model, [models], rows)


def _with_synthetic(
    rows: Splits, subject: Subject, recipe: Recipe, teaching: distillation.Teaching, compute: Compute
) -> Splits:
    """The student's rows, with synthetic ones that are made from them."""
    train = subject.splits.train
    learned = train.take(distillation.own_rows(subject.splits, subject.fits, recipe.seed)[0])
    passed = passed_rows(recipe.synthesis, learned, compute, recipe.seed)
    predicted = distillation.mean_predictions(passed.rows, subject.fits, subject.model.members, compute.device)
    made = distillation.labelled(passed.rows, predicted, train, teaching)
    return replace(rows, train=concat([rows.train, made]), notes=(*rows.notes, *passed.notes))


def pruned(subject: Subject, settings: Settings, compute: Compute) -> Iterator[Subject]:
    """The same networks with fewer channels or weights, trained further, in rounds.

    Yields:
        The subject after each round; each has less than the one before.

    Raises:
        DataError: A network cannot be pruned.
    """
    weights = settings.prune == "weights"
    for number in range(1, ROUNDS + 1):
        # Of all channels there are fewer at each round; of weights the zeros count again.
        part = settings.share * number / ROUNDS if weights else 1 - (1 - settings.share) ** (1 / ROUNDS)
        begun = replace(compute, deadline=end_of_share(compute.deadline, time.monotonic(), ROUNDS - number + 1))
        subject = subject.with_trained(_pruned_once(subject, settings, part, begun))
        yield subject


def quantized(subject: Subject, settings: Settings, keeps: Keeps, compute: Compute) -> Iterator[Subject]:
    """The networks in int8, or with weights in half precision.

    Of int8 networks, those with all layers come first. While the floor does not hold, the networks are trained further
    with rounded layers; then the layers whose float32 helps most are reverted one after the other.

    Args:
        subject: The model.
        settings: Its precision and way.
        keeps: Whether a quantized model keeps the floor.
        compute: Device and progress of a quantization-aware training.

    Raises:
        DataError: A network cannot be quantized.
    """
    if settings.precision != "int8":
        precision = settings.precision
        yield _each(subject, lambda place, number, network: in_half_precision(network, precision))
        return
    if settings.way == "aware":
        yield _aware(subject, settings, compute)
        return
    twins = [
        [
            Float32Twin(one.network, one.prepared, subject.learned_rows(place, number), settings.way)
            for number, one in enumerate(models.trained)
        ]
        for place, models in enumerate(subject.fits)
    ]
    kept: list[str] = []
    found = _of_twins(subject, twins, kept)
    yield found
    if settings.way is None and all(twin.way == "static" for own in twins for twin in own):
        # Asked for after the caller found that static int8 does not keep the floor.
        yield _aware(subject, settings, compute)
    order: list[str] | None = None
    while not keeps(found):
        order = _by_gain(subject, twins) if order is None else order
        if len(kept) >= len(order):
            return
        kept.append(order[len(kept)])
        found = replace(_of_twins(subject, twins, kept), note=f"{len(kept)} layers stay in float32.")
        yield found


def _aware(subject: Subject, settings: Settings, compute: Compute) -> Subject:
    """The int8 networks after a quantization-aware training; weights that were removed stay zero."""

    def trained(place: int, number: int, own: Compute) -> Trained:
        before = subject.fits[place].trained[number]
        check_quantizable(before.network)
        recipe = _fine_tuning(subject, place, number, settings)
        recipe = recipe.updated(stages=(recipe.stages[-1].model_copy(update={"quantization_aware": True}),))
        after = _trained_further(subject, (place, number), before.network, recipe, own, keep_zeros=True)
        return replace(after, network=rounded_twin(after.network, before.prepared))

    return replace(
        subject.with_trained(_one_by_one(subject, compute, trained)),
        note="The networks were trained further with rounded layers.",
    )


def _of_twins(subject: Subject, twins: list[list[Float32Twin]], kept: list[str]) -> Subject:
    return subject.with_networks([[twin.int8(kept) for twin in own] for own in twins])


def _by_gain(subject: Subject, twins: list[list[Float32Twin]]) -> list[str]:
    """The layers, those first whose float32 alone leaves the smallest loss of recall in the class that loses most."""
    layers = list(dict.fromkeys(name for own in twins for twin in own for name in twin.layers))
    worst = {}
    for name in layers:
        costs = held_out_costs(subject, _of_twins(subject, twins, [name]))
        worst[name] = min((cost.difference for cost in costs if cost.difference is not None), default=0.0)
    return sorted(layers, key=lambda name: -worst[name])


def _one_by_one(
    subject: Subject, compute: Compute, train: Callable[[int, int, Compute], Trained]
) -> list[list[Trained]]:
    """Each network trained further: place of its recipe, number, compute -> training; they share the time."""
    left = sum(len(models.trained) for models in subject.fits)
    trained: list[list[Trained]] = []
    for place, models in enumerate(subject.fits):
        trained.append([])
        for number in range(len(models.trained)):
            own = replace(compute, deadline=end_of_share(compute.deadline, time.monotonic(), left))
            trained[-1].append(train(place, number, own))
            left -= 1
    return trained


def _pruned_once(subject: Subject, settings: Settings, share: float, compute: Compute) -> list[list[Trained]]:
    """Each network with a share less, trained further."""
    return _one_by_one(
        subject, compute, lambda place, number, own: _pruned_network(subject, (place, number), settings, share, own)
    )


def _pruned_network(
    subject: Subject, at: tuple[int, int], settings: Settings, share: float, compute: Compute
) -> Trained:
    place, number = at
    rows, before = subject.learned_rows(place, number), subject.fits[place].trained[number]
    is_sparse = settings.prune == "weights"
    if is_sparse:
        smaller = without_weights(before.network, share)
    else:
        smaller = without_channels(before.network, before.prepared, rows, share, settings.importance)
    recipe = _fine_tuning(subject, place, number, settings)
    return _trained_further(subject, at, smaller, recipe, compute, keep_zeros=is_sparse)


def _fine_tuning(subject: Subject, place: int, number: int, settings: Settings) -> Recipe:
    models, train = subject.fits[place], subject.splits.train
    balanced = settings.teaching.balanced and train.task == "classification" and not _is_soft(train)
    return fine_tuning_recipe(models.recipe, settings.training_steps, balanced)


def _trained_further(
    subject: Subject,
    at: tuple[int, int],
    network: nn.Module,
    recipe: Recipe,
    compute: Compute,
    keep_zeros: bool = False,
) -> Trained:
    """A training's result with another network, trained further on the rows that the first one learned from."""
    place, number = at
    before = subject.fits[place].trained[number]
    rows = subject.learned_rows(place, number)
    after = fine_tuned(recipe, network, before.prepared, rows, number, compute=compute, keep_zeros=keep_zeros)
    return replace(before, network=after.network, prior_factor=(before if _is_soft(rows) else after).prior_factor)


def _is_soft(rows: Dataset) -> bool:
    """Whether they are a student's, which is trained further as it was taught, and whose prior its targets hide."""
    return rows.y is not None and rows.y.ndim == 2


def _each(subject: Subject, change: Callable[[int, int, nn.Module], nn.Module]) -> Subject:
    """The subject with each network changed: place of its recipe, number, network -> network."""
    return subject.with_networks(
        [
            [change(place, number, one.network) for number, one in enumerate(models.trained)]
            for place, models in enumerate(subject.fits)
        ]
    )
