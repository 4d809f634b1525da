"""The rules that say which methods apply: kind, task and class counts decide, and no method is imported for it."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from rarebird.data.dataset import Dataset, Frame
from rarebird.profile.applicable import _RULES, Facts, _tasks_of, applicable_methods, facts_of, imbalance_ratio
from rarebird.slots import methods

FACTS = Facts(kind="table", classes=True, n=1000, n_classes=2, rarest=50, ratio=19.0, counted=1000, counted_rarest=50)


def table(counts: list[int]) -> Dataset:
    y = np.repeat(np.arange(len(counts)), counts)
    n = len(y)
    classes = tuple(f"c{i}" for i in range(len(counts)))
    return Dataset(
        "table",
        "classification",
        Frame(pd.DataFrame({"x": np.arange(n) / 7})),
        np.arange(n),
        y,
        classes,
        np.arange(n).astype(str),
    )


def test_every_slot_has_a_rule_in_the_order_of_the_slots():
    assert list(_RULES) == list(methods.SLOTS)


@pytest.mark.parametrize("counts", [[500, 500], [900, 100], [50, 1], [3000, 60, 5]])
def test_only_methods_that_serve_the_kind_each_with_a_reason(counts):
    found = applicable_methods(table(counts))
    assert all("table" in methods.kinds(entry.slot, entry.method) for entry in found)
    assert all(len(entry.why.split()) > 2 for entry in found)
    assert {"cross_entropy", "argmax", "shuffled"} <= {entry.method for entry in found}


def test_even_classes_need_no_remedy_against_skew():
    even, skewed = (
        {(e.slot, e.method) for e in applicable_methods(table(counts))} for counts in ([500, 500], [900, 100])
    )
    assert even < skewed
    assert {("loss", "weighted"), ("batch_sampling", "class_balanced"), ("decision", "balanced")} <= skewed - even


@pytest.mark.parametrize(
    ("slot", "name", "changes", "applies"),
    [
        ("synthesis", "mixture", {"rarest": 1}, True),
        ("synthesis", "mixture", {"classes": False, "ratio": 1.0}, False),
        ("synthesis", "mixture", {"ratio": 1.4}, False),
        ("resampling", "smote", {"rarest": 2}, True),
        ("resampling", "smote", {"rarest": 1}, False),
        ("resampling", "random_over", {"rarest": 1}, True),
        ("resampling", "random_over", {"classes": False}, False),
        ("loss", "mean_squared", {}, False),
        ("loss", "mean_squared", {"classes": False}, True),
        ("loss", "density_weighted", {}, False),
        ("loss", "density_weighted", {"classes": False}, True),
        ("loss", "cross_entropy", {"classes": False}, False),
        ("loss", "auc", {}, True),
        ("loss", "auc", {"n_classes": 3}, False),
        ("loss", "distillation", {}, False),
        ("loss", "focal", {"ratio": 1.4}, False),
        ("loss", "cross_entropy", {"ratio": 1.0}, True),
        ("regularization", "early_stopping", {}, False),
        ("regularization", "early_stopping", {"counted": 5000}, True),
        ("regularization", "early_stopping", {"counted": 5000, "counted_rarest": 10}, False),
        ("calibration", "temperature", {"classes": False}, False),
        ("augmentation", "mixup", {"counted": 10**6}, False),
    ],
)
def test_rules(slot, name, changes, applies):
    assert bool(_RULES[slot](name, replace(FACTS, **changes))) is applies


def test_the_tasks_read_from_a_losss_text_are_those_it_serves():
    for name in methods.names("loss"):
        assert _tasks_of(name) == methods.load("loss", name).tasks


def test_facts_leave_out_classes_without_rows():
    facts = facts_of(table([90, 0, 30]))
    assert (facts.n_classes, facts.rarest, facts.ratio) == (2, 30, 3.0)
    assert imbalance_ratio([]) == 1.0


def test_no_method_is_imported():
    code = """
import sys, numpy as np
from rarebird.data.dataset import Dataset, Pixels
from rarebird.profile.applicable import applicable_methods
y = np.arange(40) % 2
pixels = Pixels(np.zeros((40, 1, 8, 8), np.uint8))
assert applicable_methods(Dataset("image", "classification", pixels, np.arange(40), y, ("a", "b"), y.astype(str)))
print([name for name in sys.modules if name == "torch" or name.startswith("rarebird.methods.")])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
