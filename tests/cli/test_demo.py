"""The demo's data are as described, and one command leads to two reports."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from rarebird.automl import command
from rarebird.cli import demo
from rarebird.core.clock import Clock
from rarebird.core.progress import Progress, silent
from rarebird.experiment.run import Outcome
from rarebird.runs import predict
from rarebird.runs.fit_recipe import fit_recipe
from rarebird.runs.request import Request


def test_digits_fall_in_number_and_share_no_picture_with_the_test_rows(tmp_path: Path) -> None:
    with np.load(demo.digits(tmp_path)) as archive:
        data = dict(archive)
    counts = np.bincount(data["train_labels"])
    assert counts[0] == demo.MOST_DIGITS
    assert counts[9] == demo.FEWEST_DIGITS
    assert (np.diff(counts) < 0).all()
    tested = np.bincount(data["test_labels"])
    assert tested.min() > 40
    assert tested.max() < 1.1 * tested.min()
    assert data["train_images"].dtype == np.uint8
    assert data["train_images"].max() == 255
    trained = {picture.tobytes() for picture in data["train_images"]}
    assert not trained & {picture.tobytes() for picture in data["test_images"]}


def test_the_tumors_are_all_there(tmp_path: Path) -> None:
    frame = pd.read_csv(demo.breast_cancer(tmp_path))
    assert frame.shape == (569, 31)
    assert frame["target"].value_counts().to_dict() == {"benign": 357, "malignant": 212}


def test_the_demo_says_where_report_and_model_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []

    def quick(request: Request, clock: Clock, progress: Progress) -> Outcome:
        assert clock.budget == 30
        return fit_recipe(Request(request.data, request.out, steps=4, settings=("folds=2",)), clock, progress)

    monkeypatch.setattr(command, "fit", quick)
    demo.run(tmp_path / "demo", 30, said.append, silent)
    for name in ("digits", "breast-cancer"):
        run = tmp_path / "demo" / name
        assert (run / "report.html").is_file()
        assert predict.load(run).classes
        assert any(str(run / "report.html") in text for text in said)
        assert any(str(run / "model") in text for text in said)
