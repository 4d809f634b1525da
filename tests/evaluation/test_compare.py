"""Comparing remedies: paired on the same splits, honest about what cannot be told, and able to find what helps."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from rarebird.checks import DataError
from rarebird.data.dataset import Dataset, Frame
from rarebird.evaluation.compare import compare
from rarebird.evaluation.remedy import remedies, with_remedy
from rarebird.recipe import Recipe
from tests.cli import rarebird


def rows(n: int = 300, share: float = 0.1, shuffled: bool = False, seed: int = 0) -> Dataset:
    rng = np.random.default_rng(seed)
    y = (rng.random(n) < share).astype(np.int64)
    frame = pd.DataFrame({"a": rng.normal(1.5 * y, 1), "b": rng.normal(size=n)})
    y = rng.permutation(y) if shuffled else y
    return Dataset("table", "classification", Frame(frame), np.arange(n), y, ("no", "yes"), np.arange(n).astype(str))


def baseline(**changes: object) -> Recipe:
    plain: dict[str, object] = {
        "kind": "table",
        "network": {"name": "mlp", "width": 8, "depth": 1},
        "optimizer": {"name": "adamw", "learning_rate": 1e-2},
        "steps": 40,
        "batch_size": 32,
        "decision": "argmax",
        "calibration": [],
        "threads": 1,
    }
    return Recipe(**(plain | changes))


def test_remedies_are_found_by_name_and_all_are_those_that_apply() -> None:
    train = rows()
    assert remedies("focal,loss=weighted,smote+focal", train, baseline()) == ["loss=focal", "loss=weighted", "resampling=smote+loss=focal"]
    found = remedies("all", train, baseline(loss="focal"))
    assert {"resampling=smote", "loss=weighted", "batch_sampling=class_balanced"} <= set(found)
    assert "loss=focal" not in found
    assert "augmentation=feature_smote" not in found
    with pytest.raises(DataError, match="There is no remedy 'focall' for this data; did you mean 'focal'"):
        remedies("focall", train, baseline())


def test_a_remedy_changes_one_thing() -> None:
    base = baseline(regularization=["ema"])
    assert with_remedy(base, "loss=focal") == base.updated(loss="focal")
    assert [type(one).name for one in with_remedy(base, "regularization=l1").regularization] == ["ema", "l1"]
    both = with_remedy(base, "resampling=smote+loss=focal")
    assert (type(both.resampling).name, type(both.loss).name) == ("smote", "focal")


def test_a_remedy_that_does_nothing_differs_by_nothing() -> None:
    found = compare(baseline(), rows(), ["loss=cross_entropy"], folds=3, repeats=2)
    assert found.splits == 6
    assert found.rows[0].difference.mean == 0
    assert found.rows[0].verdict == "too few rows to tell"


def test_what_helps_is_found_and_what_hurts_too() -> None:
    # The argmax of natural probabilities hardly ever names the rare class, whose rows are never the likelier ones. Class weights change
    # nothing about that, because probabilities are corrected back; the balanced decision does.
    train, quick = rows(800, share=0.06), {"name": "adamw", "learning_rate": 3e-2}
    found = compare(baseline(steps=80, optimizer=quick), train, ["decision=balanced", "loss=weighted"], folds=4, repeats=3)
    assert [row.verdict for row in found.rows] == ["helps", "too few rows to tell"]
    assert found.rows[0].difference.low > 0.1
    turned = compare(baseline(steps=80, optimizer=quick, decision="balanced"), train, ["decision=argmax"], folds=4, repeats=3)
    assert turned.rows[0].verdict == "hurts"


def test_among_shuffled_labels_nothing_helps() -> None:
    found = compare(baseline(decision="balanced"), rows(200, share=0.3, shuffled=True), ["loss=weighted", "loss=focal"], folds=4, repeats=2)
    assert {row.verdict for row in found.rows} == {"too few rows to tell"}


def test_losses_are_turned_so_that_larger_is_better() -> None:
    train = rows(400)
    found = compare(baseline(steps=5), train, ["optimizer=sgd"], folds=3, repeats=1, metric="log_loss")
    assert found.baseline > 0
    assert found.rows[0].value == pytest.approx(found.baseline - found.rows[0].difference.mean)


def test_a_remedy_that_cannot_be_trained_is_said_and_the_others_go_on() -> None:
    three = Dataset(
        "table", "classification", rows().source, np.arange(300), np.arange(300) % 3, ("a", "b", "c"), np.arange(300).astype(str)
    )
    found = compare(baseline(), three, ["loss=auc", "loss=focal"], folds=3, repeats=1)
    assert "two classes" in found.rows[0].why
    assert found.rows[0].verdict == "too few rows to tell"
    assert not found.rows[1].why


def test_from_the_command_line(tmp_path: Path, capsys: Any, monkeypatch: Any) -> None:
    train = rows(200)
    assert isinstance(train.source, Frame)
    train.source.frame.assign(target=np.where(train.codes, "yes", "no")).to_csv(tmp_path / "rows.csv", index=False)
    more = ["--remedies", "focal,random_over", "--folds", 3, "--repeats", 1, "--steps", 10]
    done = rarebird(capsys, monkeypatch, "compare", tmp_path / "rows.csv", *more, "--json")
    assert done.code == 0, done.err
    found = json.loads(done.out)
    assert set(found["remedies"]) == {"loss=focal", "resampling=random_over"}
    for entry in found["remedies"].values():
        assert {"difference", "low", "high", "verdict"} <= set(entry)
        assert entry["verdict"] in ("helps", "hurts", "too few rows to tell")
    text = rarebird(capsys, monkeypatch, "compare", tmp_path / "rows.csv", *more)
    assert text.code == 0
    assert "The smallest effect" in text.out
    bad = rarebird(capsys, monkeypatch, "compare", tmp_path / "rows.csv", "--remedies", "nothing")
    assert bad.code == 2
