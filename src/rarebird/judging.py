"""From held-out logits to truthful probabilities and decisions; no row is judged by a network that trained on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rarebird import methods
from rarebird.artifact import probabilities
from rarebird.metrics import names
from rarebird.protocols import FittedCalibration, FittedDecision
from rarebird.recipe import Recipe

Chain = list[tuple[str, FittedCalibration]]


@dataclass(frozen=True)
class HeldOut:
    """Held-out rows' raw logits, each from a network that never saw the row.

    Attributes:
        logits: ``(n, n_classes)``.
        y: ``(n,)`` class codes.
        weight: ``(n,)`` sample weights.
        member: ``(n,)`` which network judged each row.
    """

    logits: np.ndarray
    y: np.ndarray
    weight: np.ndarray
    member: np.ndarray


def calibrate(recipe: Recipe, held: HeldOut, factors: Sequence[np.ndarray | None]) -> list[Chain]:
    """Fit the recipe's calibrations in order.

    A method that speaks of one network (prior correction) is fitted per network with that training's own prior factor; the others learn
    from all held-out rows together. Where a training answers to no prior, a per-class scale and bias takes the place of its correction.

    Returns:
        A chain of fitted calibrations per network.
    """
    chains: list[Chain] = [[] for _ in factors]
    for method in _chain_of_methods(recipe, factors):
        name, current = type(method).name, _through(held, chains)
        if method.per_network:
            for place, factor in enumerate(factors):
                mine = held.member == place
                chains[place].append((name, method.fit(current[mine], held.y[mine], held.weight[mine], factor)))
        else:
            fitted = method.fit(current, held.y, held.weight, None)
            for chain in chains:
                chain.append((name, fitted))
    return chains


def decide(
    recipe: Recipe, held: HeldOut, chains: Sequence[Chain], prior: np.ndarray, classes: tuple[str, ...], positive: str | None
) -> tuple[str, FittedDecision]:
    """Fit the decision on held-out probabilities for the recipe's metric; balanced accuracy serves the metrics of probabilities."""
    metric = recipe.metric if names.metric(recipe.metric, classes).needs == "labels" else "balanced_accuracy"
    code = None if positive is None else classes.index(positive)
    judged = held_probabilities(held, chains)
    method: Any = recipe.decision
    fitted = method.fit(judged, held.y, held.weight, names.decision_metric(metric, code, classes), prior)
    return type(method).name, fitted


def held_probabilities(held: HeldOut, chains: Sequence[Chain]) -> np.ndarray:
    """``(n, n_classes)`` calibrated probabilities of the held-out rows."""
    result = np.empty_like(held.logits)
    for place, chain in enumerate(chains):
        mine = held.member == place
        if mine.any():
            result[mine] = probabilities(held.logits[mine], chain)
    return result


def _through(held: HeldOut, chains: Sequence[Chain]) -> np.ndarray:
    """The held-out logits after each network's chain so far."""
    current = held.logits.copy()
    for place, chain in enumerate(chains):
        mine = held.member == place
        for _, calibration in chain:
            if mine.any():
                current[mine] = calibration(current[mine])
    return current


def _chain_of_methods(recipe: Recipe, factors: Sequence[np.ndarray | None]) -> list[Any]:
    if all(factor is not None for factor in factors):
        return list(recipe.calibration)
    replacement = methods.build("calibration", {"name": "class_scale_bias"})
    kept = [method for method in recipe.calibration if not method.per_network]
    return [replacement, *(method for method in kept if type(method) is not type(replacement))]
