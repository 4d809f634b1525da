"""A training that is ended and resumed gives the bits of one that is not, for every method that remembers something."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from rarebird.core.checks import DataError
from rarebird.training import checkpoint
from rarebird.training.checkpoint import Checkpoint
from tests.training.rank_cases import CASES, numbers, resumed, trained, values

pytestmark = pytest.mark.xdist_group("ranks")
CHOSEN = [name for name in CASES if name not in ("mlp", "transformer", "resnet", "auc")]


@pytest.fixture(autouse=True)
def _after_each_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint, "SECONDS", 0.0)
    monkeypatch.setattr(checkpoint, "WRITINGS", 0.0)


@pytest.mark.parametrize("name", CHOSEN)
def test_a_resumed_training_gives_the_same_bits(name: str, tmp_path: Path) -> None:
    np.testing.assert_array_equal(numbers(resumed(name, tmp_path)), values(name))
    # The last ones: of the last step and the one before.
    assert len(list(tmp_path.iterdir())) == 2


def test_a_finished_training_is_not_taken_again(tmp_path: Path) -> None:
    trained("mlp", kept=Checkpoint(tmp_path, "mlp"))
    steps: list[float] = []
    again = trained("mlp", kept=Checkpoint(tmp_path, "mlp"), on_step=lambda progress: bool(steps.append(progress)))
    assert not steps
    np.testing.assert_array_equal(numbers(again), values("mlp"))


def test_what_is_written_is_read(tmp_path: Path) -> None:
    tree = {"a": [1, 2.5, None, {"b": torch.arange(3)}], "c": np.array([np.nan, 1]), "d": {}, "e": -np.inf, "f": 2**100}
    Checkpoint(tmp_path, "one").write(7, tree)
    read = Checkpoint(tmp_path, "one").read()
    assert read is not None
    assert torch.equal(read["a"][3].pop("b"), torch.arange(3))
    np.testing.assert_array_equal(read.pop("c"), tree["c"])  # type: ignore[arg-type]
    assert read == {"a": [1, 2.5, None, {}], "d": {}, "e": -np.inf, "f": 2**100}
    assert Checkpoint(tmp_path, "other").read() is None


def test_a_damaged_checkpoint_is_refused(tmp_path: Path) -> None:
    Checkpoint(tmp_path, "one").write(7, {"a": torch.ones(100)})
    (file,) = tmp_path.iterdir()
    file.write_bytes(file.read_bytes()[:-9])
    with pytest.raises(DataError, match=r"^The checkpoint .*step_7.* cannot be read .*; start anew with --force\."):
        Checkpoint(tmp_path, "one").read()
