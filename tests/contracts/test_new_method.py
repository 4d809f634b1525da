"""A file dropped into any slot's folder is a method at once: it is listed, tested by the contract kit, and it trains.

A copy of the package gets one new method in every slot. One process then trains with all of them and records which were
called, so that a slot that no code calls fails its test.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, get_args

import pytest

from rarebird.recipe.recipe import Recipe
from rarebird.slots import methods
from rarebird.slots.methods import Method

PROJECT = Path(__file__).resolve().parents[2]
# Slot -> the method that the new one derives from, and the function whose call is recorded.
DERIVED = {
    "external": ("outside_rows", "fit"),
    "synthesis": ("mixture", "fit"),
    "resampling": ("random_over", "__call__"),
    "batch_sampling": ("shuffled", "__call__"),
    "augmentation": ("cell_noise", "bind"),
    "network": ("mlp", "build"),
    "transfer": ("checkpoint", "start"),
    "reference": ("boosted_trees", "fit"),
    "head": ("ridge", "solve"),
    "loss": ("cross_entropy", "build"),
    "regularization": ("gradient_clipping", "attach"),
    "optimizer": ("sgd", "build"),
    "schedule": ("cosine", "__call__"),
    "calibration": ("temperature", "fit"),
    "decision": ("argmax", "fit"),
}
# Slots whose methods are compared with a baseline; how a network is optimized is tuned instead.
COMPARED = [slot for slot in methods.SLOTS if slot not in ("optimizer", "schedule")]
METHOD = '''"""A new method: {base}, which records that it was called."""

import os

from rarebird.methods.{slot}.{base} import {base_class}

KINDS = ("table",)


class NewMethod({base_class}):
    def {function}(self, *args, **settings):
        with open(os.environ["CALLS"], "a") as calls:
            calls.write("{slot}\\n")
        return super().{function}(*args, **settings)
'''
# A checkpoint's file is not in the copy: the new method gives the network nothing.
TRANSFER = METHOD.replace(
    "        return super().{function}(*args, **settings)\n",
    """        from rarebird.slots.starting_weights import StartingWeights

        return StartingWeights(source="nowhere")

    def recorded(self, network):
        return self
""",
)
TRAINS = """
import json, os, sys
import numpy as np
import pandas as pd
from rarebird.comparison.remedies import remedies, with_remedy
from rarebird.data.dataset import Dataset, Frame, Outside, Splits
from rarebird.experiment.run import run
from rarebird.recipe.recipe import Recipe
from rarebird.slots import methods
from rarebird.tuning.space import Space
from tests import test_every_method
from tests.contracts import test_methods
from tests.contracts.test_new_method import DERIVED

LISTS = ("augmentation", "regularization", "calibration")
rng = np.random.default_rng(0)
y = np.arange(60) % 3 // 2
frame = pd.DataFrame({"a": rng.normal(y, 1.0), "b": rng.normal(size=60)})
train = Dataset("table", "classification", Frame(frame), np.arange(60), y, ("no", "yes"), np.arange(60).astype(str))
settings = dict(kind="table", steps=3, batch_size=16, folds=0, holdout=0.3, threads=1, precision="float32")
named = {slot: ["new_method"] if slot in LISTS else "new_method" for slot in methods.SLOTS}

reference, head = named.pop("reference"), named.pop("head")
run(Recipe(**settings, **named), Splits(train, outside=(Outside(train, 60),)), test_share=0.2)
run(Recipe(**settings, network="mlp", reference=reference), Splits(train), test_share=0.2)
run(Recipe(**settings, network="linear", head=head), Splits(train), test_share=0.2)

tuned = []
baseline = Recipe(**settings, network="mlp")
for slot in methods.SLOTS:
    choice = {"choices": [DERIVED[slot][0], "new_method"]}
    space = Space.of({**settings, "network": "mlp", slot: [choice] if slot in LISTS else choice})
    drawn = space.draw(lambda name, where: where.values[-1] if hasattr(where, "values") else where.low)
    tuned += [slot] if "new_method" in [type(one).name for _, one in drawn.methods()] else []
compared = []
for slot in json.loads(sys.argv[1]):
    (remedy,) = remedies(f"{slot}=new_method", train, baseline, outside=True)
    compared += [filled for filled, one in with_remedy(baseline, remedy).methods() if type(one).name == "new_method"]
print(json.dumps({
    "listed": {slot: methods.names(slot) for slot in methods.SLOTS},
    "kit": [name for name, _ in test_methods.CARDS],
    "trained": [case.id for case in test_every_method.cases()],
    "called": sorted(set(open(os.environ["CALLS"]).read().split())),
    "tuned": tuned,
    "compared": compared,
}))
"""


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a process finds and calls in a copy of the package with a new method in every slot."""
    copy = tmp_path_factory.mktemp("project")
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(PROJECT / "src" / "rarebird", copy / "rarebird", ignore=ignored)
    shutil.copytree(PROJECT / "tests" / "contracts", copy / "tests" / "contracts", ignore=ignored)
    for name in ("__init__.py", "test_every_method.py"):
        shutil.copy(PROJECT / "tests" / name, copy / "tests" / name)
    for slot, (base, function) in DERIVED.items():
        template = TRANSFER if slot == "transfer" else METHOD
        text = template.format(slot=slot, base=base, base_class=methods.camel(base), function=function)
        folder = copy / "rarebird" / "methods" / slot
        (folder / "new_method.py").write_text(text, encoding="utf-8")
        (folder / "_new_part.py").write_text(text, encoding="utf-8")
    environment = os.environ | {"PYTHONPATH": str(copy), "CALLS": str(copy / "calls"), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-W", "ignore", "-c", TRAINS, json.dumps(COMPARED)]
    process = subprocess.run(command, cwd=copy, env=environment, capture_output=True, text=True, check=False)
    assert process.returncode == 0, process.stderr
    answers: dict[str, Any] = json.loads(process.stdout.splitlines()[-1])
    return answers


def test_there_is_a_new_method_for_every_slot() -> None:
    assert set(DERIVED) == set(methods.SLOTS)


@pytest.mark.parametrize("slot", methods.SLOTS)
def test_a_new_file_is_listed_and_parts_are_not(slot: str, found: dict[str, Any]) -> None:
    assert "new_method" in found["listed"][slot]
    assert not [name for name in found["listed"][slot] if name.startswith("_")]


@pytest.mark.parametrize("slot", methods.SLOTS)
def test_a_new_file_is_tested_by_the_kit_and_trained_on_real_rows(slot: str, found: dict[str, Any]) -> None:
    assert f"{slot} new_method" in found["kit"]
    assert f"{slot}-new_method-table" in found["trained"]


@pytest.mark.parametrize("slot", methods.SLOTS)
def test_a_training_calls_the_new_method(slot: str, found: dict[str, Any]) -> None:
    assert slot in found["called"], f"no code calls the methods of the slot {slot}"


@pytest.mark.parametrize("slot", methods.SLOTS)
def test_the_new_method_can_be_a_choice_of_a_search(slot: str, found: dict[str, Any]) -> None:
    assert slot in found["tuned"]


@pytest.mark.parametrize("slot", COMPARED)
def test_the_new_method_can_be_compared_with_a_baseline(slot: str, found: dict[str, Any]) -> None:
    assert slot in found["compared"]


def test_the_recipe_has_a_field_for_every_slot_and_a_slot_for_every_field_of_methods() -> None:
    fields = {name for name, field in Recipe.model_fields.items() if holds_methods(field.annotation)}
    assert fields == set(methods.SLOTS)


def holds_methods(annotation: Any) -> bool:
    """Whether a field's type is a method, or holds methods: an optional one, or a tuple of them."""
    return annotation is Method or any(holds_methods(part) for part in get_args(annotation))
