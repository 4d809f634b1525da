"""No leak, for every method of every slot and each way to fill it: alone in the recipe, in a stage, in a member of an
ensemble; and for rows with groups, times and weights. Rows that score a network are changed beyond recognition, and its
weights may not change by a bit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from rarebird.core.compute import Compute
from rarebird.data import split
from rarebird.data.dataset import Dataset, Outside, Splits
from rarebird.experiment.run import run
from rarebird.recipe.ensemble import Ensemble
from rarebird.recipe.recipe import Recipe
from rarebird.recipe.stage_plans import OVERRIDABLE
from rarebird.slots import methods
from rarebird.slots.stored_modules import ArrayModule, TextModule
from rarebird.training.cross_fit import cross_fit_all
from tests.test_no_leak import marked, rows

LISTS = ("augmentation", "regularization", "calibration")
# A solved head learns from every row and leaves each out of its own output (tests/methods/head,
# tests/training/test_solved_trainer.py); initial weights come from files and see no row (tests/methods/transfer).
ELSEWHERE = ("head", "transfer")
TRAINING = tuple(slot for slot in methods.SLOTS if slot not in ("calibration", "decision", *ELSEWHERE))
# A student's loss needs teachers, whose outputs for its rows are held out as well: tests/compression.
NEEDS_TEACHERS = "distillation"
# The most steps, rows of a step and channels of a generator: a leak shows after few, too.
MOST = {"steps": 10, "batch_size": 8, "width": 8}
# Slots where the examples of a method differ in numbers alone, which see no rows.
NUMBERS_ALONE = ("loss", "optimizer")
# The gate is asked about one generator, which passes it on these rows and would fail if it saw the wild ones; asking is
# the same for all. The others fill the rarer class.
GATED = "mixture"
# A method that reads the training rows with weights of a file: the checkpoint that its own tests make.
CHECKPOINT = "tabicl.safetensors"


def settings(slot: str) -> list[dict[str, Any]]:
    """The settings of each example of a slot's methods that serve classes of any label."""
    loaded: list[Any] = [methods.load(slot, name) for name in methods.names(slot, "table")]
    serving = [one for one in loaded if "classification" in getattr(one, "tasks", ("classification",))]
    plain = [example.settings() for one in serving if one.name != NEEDS_TEACHERS for example in one.examples()]
    plain = [one for one in plain if not any(isinstance(value, dict) for value in one.values())]
    if slot == "synthesis":
        plain = [one | {name: min(one[name], most) for name, most in MOST.items() if name in one} for one in plain]
        return [one if one["name"] == GATED else one | {"classes": ["yes"]} for one in plain]
    # Without its file, it is refused.
    plain = [one for one in plain if one["name"] != "in_context" or "file" in one]
    return firsts(plain) if slot in NUMBERS_ALONE else plain


def firsts(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The first example of each method."""
    return list({one["name"]: one for one in reversed(found)}.values())[::-1]


@pytest.fixture(autouse=True)
def checkpoint(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The checkpoint is in the working folder of the tests that read one."""
    given = request.node.callspec.params if hasattr(request.node, "callspec") else {}
    if given.get("slot") == "reference" and given.get("method", {"name": "in_context"})["name"] == "in_context":
        from tests.methods.reference import test_in_context  # skips these tests alone where tabicl is not installed

        test_in_context.checkpoint(tmp_path / CHECKPOINT)
        monkeypatch.chdir(tmp_path)


def filled(slot: str, method: dict[str, Any]) -> dict[str, Any]:
    """A recipe's field with a single method, and what else this method needs."""
    needed = {"network": {"name": "transformer", "depth": 1}} if method["name"] == "stochastic_depth" else {}
    return {slot: [method] if slot in LISTS else method, **needed}


def recipe(**changes: Any) -> Recipe:
    plain = {
        "kind": "table",
        "network": {"name": "mlp", "width": 8, "depth": 1},
        "optimizer": {"name": "adamw", "learning_rate": 0.03},
        "steps": 36,
        "batch_size": 16,
        "folds": 0,
        "holdout": 0.3,
        "threads": 1,
    }
    return Recipe(**(plain | changes))


def learned(networks: Sequence[nn.Module]) -> list[Any]:
    """What the networks learned: their tensors, and the text or the arrays of a reference."""
    tensors = [value for network in networks for value in network.state_dict().values()]
    tensors += [
        torch.from_numpy(array)
        for network in networks
        if isinstance(network, ArrayModule)
        for array in network.to_arrays().values()
    ]
    return [*tensors, *(network.to_text() for network in networks if isinstance(network, TextModule))]


def equal(one: Sequence[nn.Module], two: Sequence[nn.Module]) -> bool:
    pairs = list(zip(learned(one), learned(two), strict=True))
    assert pairs
    return all(first == second if isinstance(first, str) else torch.equal(first, second) for first, second in pairs)


def networks(chosen: Recipe | Ensemble, train: Dataset) -> list[nn.Module]:
    """The trained networks of a recipe, or of the members of an ensemble."""
    outside = (Outside(rows(60, seed=9), 60),)
    if isinstance(chosen, Ensemble):
        outcome = run(chosen, Splits(train, outside=outside), device="cpu", test_share=0, copies=None)
        return [member.network for member in outcome.model.members]
    parts = split.parts(train, split.decide(train, holdout=0.3), chosen.seed)
    return [one.network for one in cross_fit_all(chosen, Splits(train, outside=outside), parts, Compute()).trained]


def learns_without_scored_rows(chosen: Recipe | Ensemble, train: Dataset) -> bool:
    """Whether a training with wild held-out rows gives the same networks. Wild rows that are learned do change them."""
    held = split.hold_out(train, 0.3, chosen.seed)
    plain, wild = (networks(chosen, data) for data in (train, marked(train, np.flatnonzero(held), flip=False)))
    return equal(plain, wild)


def named(slot: str, every: bool = True) -> list[Any]:
    """Cases of a slot: all examples of its methods, or one of each."""
    found = settings(slot) if every else firsts(settings(slot))
    return [pytest.param(slot, one, id=f"{slot}={one['name']}-{place}") for place, one in enumerate(found)]


@pytest.mark.parametrize(("slot", "method"), [one for slot in TRAINING for one in named(slot)])
def test_scored_rows_change_no_network_whatever_fills_a_slot(slot: str, method: dict[str, Any]) -> None:
    assert learns_without_scored_rows(recipe(**filled(slot, method)), rows())


@pytest.mark.parametrize(("slot", "method"), [one for slot in OVERRIDABLE for one in named(slot, every=False)])
def test_scored_rows_change_no_network_whatever_fills_a_stage(slot: str, method: dict[str, Any]) -> None:
    assert learns_without_scored_rows(recipe(stages=[{}, {"share": 2, "overrides": filled(slot, method)}]), rows())


@pytest.mark.parametrize("slot", TRAINING)
def test_scored_rows_change_no_member_of_an_ensemble(slot: str) -> None:
    """Three methods of the slot, a member each; what each method does alone is tested above."""
    members = [recipe(**filled(slot, method)) for method in settings(slot)[:3]]
    plain = [{"weight": 1.0, **member.plain()} for member in members]
    assert learns_without_scored_rows(
        Ensemble(kind="table", folds=0, holdout=0.3, members=plain, decision="argmax"), rows()
    )


WATCHING: list[dict[str, Any]] = [
    {"regularization": ["early_stopping"]},
    {"schedule": "reduce_on_plateau"},
    {"stages": [{}, {"share": 2, "overrides": {"schedule": "reduce_on_plateau"}}]},
]


@pytest.mark.parametrize("watching", WATCHING)
@pytest.mark.parametrize("known", ["group", "time", "weight"])
def test_scored_rows_with_groups_times_or_weights_steer_no_training(known: str, watching: dict[str, Any]) -> None:
    train = rows()
    values = {"group": np.arange(90) // 3, "time": np.arange(90.0), "weight": 1.0 + np.arange(90) % 3}
    assert learns_without_scored_rows(recipe(**watching), replace(train, **{known: values[known]}))


@pytest.mark.parametrize("watching", WATCHING)
def test_weights_of_scored_rows_steer_no_training(watching: dict[str, Any]) -> None:
    train = replace(rows(), weight=np.ones(90))
    weight = np.where(split.hold_out(train, 0.3, 0), 7.0, 1.0)
    weight[np.flatnonzero(weight > 1)[::2]] = 3.0
    assert equal(*(networks(recipe(**watching), data) for data in (train, replace(train, weight=weight))))


@pytest.mark.parametrize(
    ("slot", "method"), [one for slot in ("calibration", "decision") for one in named(slot, every=False)]
)
@pytest.mark.parametrize("in_ensemble", [False, True])
def test_test_rows_change_no_calibration_and_no_decision(slot: str, method: dict[str, Any], in_ensemble: bool) -> None:
    chosen: Recipe | Ensemble = recipe(loss="weighted", metric="macro_f1", **filled(slot, method))
    if in_ensemble:
        members = [{"weight": 1.0, **recipe(seed=seed, **filled(slot, method)).plain()} for seed in (0, 1)]
        chosen = Ensemble(
            kind="table", folds=0, holdout=0.3, metric="macro_f1", members=members, **filled(slot, method)
        )
    test = rows(30, seed=1)
    other = marked(test, np.arange(30))
    one, two = (run(chosen, Splits(rows(), test=data), device="cpu", copies=None) for data in (test, other))
    assert [member.calibrations for member in one.model.members] == [
        member.calibrations for member in two.model.members
    ]
    assert (one.model.calibrations, one.model.decision) == (two.model.calibrations, two.model.decision)
    assert one.result.test != two.result.test
