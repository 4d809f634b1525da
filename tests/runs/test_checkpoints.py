"""A run of one recipe that is killed while it trains: refused without `--resume`, and resumed with the same result."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from rarebird.core.checks import DataError
from rarebird.core.clock import Clock
from rarebird.experiment.run import Outcome
from rarebird.runs.fit_recipe import fit_recipe
from rarebird.runs.request import Request
from rarebird.training import checkpoint

pytestmark = pytest.mark.xdist_group("ranks")


def rows_of(outcome: Outcome) -> np.ndarray:
    assert outcome.out_of_fold is not None
    return outcome.out_of_fold


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Request:
    """Two folds of 20 steps, with a checkpoint after each step."""
    monkeypatch.setattr(checkpoint, "SECONDS", 0.0)
    monkeypatch.setattr(checkpoint, "WRITINGS", 0.0)
    rng = np.random.default_rng(0)
    y = rng.random(120) < 0.3
    frame = pd.DataFrame({"a": rng.normal(1.5 * y, 1), "b": rng.normal(size=120), "target": np.where(y, "yes", "no")})
    frame.to_csv(tmp_path / "rows.csv", index=False)
    settings = ("network=mlp", "folds=2", "batch_size=40")
    return Request(tmp_path / "rows.csv", tmp_path / "run", settings=settings, steps=20, threads=1, device="cpu")


def killed(share: float, what: str) -> bool:
    """In the middle of the second fold."""
    if what.startswith("training fold 2") and share > 0.7:
        raise KeyboardInterrupt
    return False


def test_a_killed_run_is_resumed_with_the_same_result(asked: Request) -> None:
    with pytest.raises(KeyboardInterrupt) as end:
        fit_recipe(asked, Clock(), killed)
    assert end.value.__notes__ == [f"{asked.out} keeps checkpoints: --resume continues from the last one."]
    with pytest.raises(DataError, match=r"holds a training that did not end; resume it with --resume"):
        fit_recipe(asked, Clock())
    with pytest.raises(DataError, match=r"are of a training with another recipe; give the same data"):
        fit_recipe(replace(asked, steps=21), Clock(), resume=True)
    seen: list[float] = []
    outcome = fit_recipe(asked, Clock(30), lambda share, what: bool(seen.append(share)), resume=True)
    alone = fit_recipe(replace(asked, out=asked.out.with_name("alone")), Clock())
    np.testing.assert_array_equal(rows_of(outcome), rows_of(alone))
    # The reading of the data, and then no step that had been taken.
    assert min(share for share in seen if share > 0) > 0.7
    assert outcome.recipe == alone.recipe
    assert not (asked.out / "checkpoints").exists()
    with pytest.raises(DataError, match=r"holds no training to resume: its run is finished"):
        fit_recipe(asked, Clock(), resume=True)


def test_a_refused_run_leaves_nothing(asked: Request) -> None:
    with pytest.raises(DataError, match="lorentz"):
        fit_recipe(replace(asked, settings=("loss=lorentz",)), Clock())
    assert not asked.out.exists()
