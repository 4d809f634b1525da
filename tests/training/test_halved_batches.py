"""Losses of pairs in batches that are computed in parts: each part compares its own pairs, and counts by its rows."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from rarebird.methods.loss.auc import Auc
from rarebird.slots.protocols import TargetStatistics
from rarebird.training.batches import Rows
from tests.training.test_loop import Linear, some_rows, stage, training, weights_after

AUC = stage(loss=Auc().build(TargetStatistics(np.array([6, 7]))), per_row=False)


def one_step_by_hand(rows: Rows, parts: int) -> torch.Tensor:
    """The weights after one step of plain descent on the mean of the parts' losses, each weighted by its rows."""
    torch.manual_seed(0)
    network = Linear()
    total = torch.zeros(())
    for part in np.array_split(np.arange(len(rows)), parts):
        logits = network({"numbers": rows.inputs["numbers"][part]})
        total = total + AUC.loss(logits, rows.y[part], rows.weight[part]) * len(part) / len(rows)
    total.backward()
    return torch.cat([(p - 0.5 * p.grad).detach().flatten() for p in network.parameters()])  # type: ignore[operator]


@pytest.mark.parametrize("parts", [1, 2, 4])
def test_each_part_counts_by_its_rows(parts: int) -> None:
    rows = some_rows(13, weight=np.linspace(0.5, 2, 13))
    found = weights_after(training(rows, [AUC], parts=parts), steps=1)
    torch.testing.assert_close(found, one_step_by_hand(rows, parts))
    assert not torch.allclose(found, one_step_by_hand(rows, 3))


def test_halves_take_about_the_step_of_the_whole() -> None:
    """A mean over pairs does not depend on the number of pairs: halved batches do not halve the step."""
    rows = some_rows(400)
    whole = one_step_by_hand(rows, 1)
    torch.manual_seed(0)
    start = torch.cat([p.detach().flatten() for p in Linear().parameters()])
    halved = weights_after(training(rows, [AUC], parts=2), steps=1)
    assert torch.linalg.vector_norm(halved - start) == pytest.approx(
        torch.linalg.vector_norm(whole - start).item(), rel=0.05
    )
