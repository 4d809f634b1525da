"""Logits of many rows: whatever the batches and the memory layout, the numbers are those of all rows at once."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from rarebird.core.checks import DataError
from rarebird.data.spec import InputSpec
from rarebird.slots import methods
from rarebird.training.inference import CPU_CELLS, LARGEST, MOST_CELLS, SMALLEST, logits, placement, rows_at_once

SPEC = InputSpec(
    kind="image", task="classification", n_outputs=3, channels=3, height=12, width=12, mean=(0.5,) * 3, std=(0.2,) * 3
)


def network() -> nn.Module:
    torch.manual_seed(0)
    built: nn.Module = methods.build("network", {"name": "cnn", "width": 4, "dense": 8}).build(SPEC)  # type: ignore[attr-defined]
    return built


def test_batches_and_layout_change_nothing_but_the_last_digits() -> None:
    net = network()
    x = {"pixels": torch.randint(0, 256, (70, 3, 12, 12), dtype=torch.uint8)}
    at_once = logits(net, x, batch_size=70)
    for size in (1, 7, 64, None):
        np.testing.assert_allclose(logits(net, x, batch_size=size), at_once, atol=1e-6)
    np.testing.assert_allclose(logits(placement("cpu", pictures=True).place(net), x), at_once, atol=1e-6)
    with torch.no_grad():
        np.testing.assert_allclose(net.eval()({"pixels": x["pixels"] / 255}), at_once, atol=1e-6)


def test_the_mode_is_restored_and_the_network_trains_on() -> None:
    net = network().train()
    logits(net, {"pixels": torch.zeros((4, 3, 12, 12), dtype=torch.uint8)})
    assert net.training
    net({"pixels": torch.rand(4, 3, 12, 12)}).sum().backward()
    assert all(parameter.grad is not None for parameter in net.parameters())


def test_large_rows_come_few_at_a_time() -> None:
    def rows(*shape: int) -> dict[str, Tensor]:
        return {"pixels": torch.zeros((2, *shape), dtype=torch.uint8)}

    assert rows_at_once(rows(1, 1, 1), "cpu") == LARGEST
    assert rows_at_once(rows(1, 28, 28), "cpu") == CPU_CELLS // 784
    assert rows_at_once(rows(3, 96, 96), "cpu") == SMALLEST
    # The features of so many rows would take too much memory.
    assert rows_at_once(rows(3, 224, 224), "cpu") == MOST_CELLS // (3 * 224 * 224) < SMALLEST
    assert rows_at_once(rows(3, 2000, 2000), "cpu") == 1
    assert rows_at_once(rows(3, 96, 96), "cuda") == LARGEST
    assert rows_at_once({"numbers": torch.zeros(2, 0), "missing": torch.zeros(2, 0)}, "cpu") == LARGEST


def test_a_network_that_gives_no_numbers_is_said_to_have_diverged() -> None:
    net = network()
    with torch.no_grad():
        next(net.parameters()).fill_(torch.nan)
    with pytest.raises(DataError, match="diverged; lower the learning rate"):
        logits(net, {"pixels": torch.zeros((4, 3, 12, 12), dtype=torch.uint8)})
