"""Pruning removes what matters least to any class, and no more than asked for."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from rarebird.compression.pruning import (
    balanced_rows,
    magnitude_scores,
    taylor_scores,
    without_channels,
    without_weights,
)
from rarebird.core.checks import DataError
from rarebird.data import prepare
from rarebird.data.dataset import Dataset, Frame
from rarebird.data.prepare import Prepared
from rarebird.slots import methods


def rare(n: int = 300, share: float = 0.05) -> Dataset:
    """Two classes, one of them rare, told apart by one column each."""
    rng = np.random.default_rng(0)
    y = (np.arange(n) < share * n).astype(np.int64)
    frame = pd.DataFrame({"a": rng.normal(size=n) + 2 * y, "b": rng.normal(size=n)})
    return Dataset(
        "table", "classification", Frame(frame), np.arange(n), y, ("common", "rare"), np.arange(n).astype(str)
    )


def network_of(rows: Dataset, width: int = 8) -> tuple[nn.Module, Prepared]:
    torch.manual_seed(0)
    prepared, _ = prepare.fit(rows)
    build = methods.build("network", {"name": "mlp", "width": width, "depth": 1}).build  # type: ignore[attr-defined]
    return build(prepared.spec).eval(), prepared


def test_channels_are_removed_and_the_given_network_is_untouched() -> None:
    rows = rare()
    network, prepared = network_of(rows)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    smaller = without_channels(network, prepared, rows, 0.5)
    assert smaller.hidden[0].out_features == 4  # type: ignore[index,union-attr]
    assert smaller.head.in_features == 4  # type: ignore[union-attr]
    for name, value in network.state_dict().items():
        torch.testing.assert_close(value, before[name], atol=0, rtol=0)


def test_taylor_keeps_the_unit_that_only_a_rare_class_needs() -> None:
    rows = rare(share=0.02)
    network, prepared = network_of(rows, 4)
    layer, head = network.hidden[0], network.head  # type: ignore[index]
    with torch.no_grad():
        # Unit 0 answers to rare rows alone and is small; the others are large and change nothing between the classes.
        layer.weight.zero_(), layer.bias.fill_(1.0)  # type: ignore[union-attr]
        layer.weight[0, 0], layer.bias[0] = 0.5, -0.5  # type: ignore[union-attr,index]
        head.weight.fill_(1.0), head.bias.zero_()  # type: ignore[union-attr]
        head.weight[:, 0] = torch.tensor([-0.3, 0.3])  # type: ignore[union-attr,index]
    groups = network.channel_groups()  # type: ignore[operator]
    assert int(taylor_scores(network, groups, prepared, rows)["layer 1"].argmax()) == 0
    assert int(magnitude_scores(network, groups)["layer 1"].argmin()) == 0


def test_a_share_of_each_layer_becomes_zero_and_the_smallest_weights_go_first() -> None:
    network, _ = network_of(rare())
    sparse = without_weights(network, 0.75)
    for (name, before), after in zip(network.named_parameters(), sparse.parameters(), strict=True):
        zeros = after == 0
        if before.ndim == 1:
            torch.testing.assert_close(after, before, atol=0, rtol=0)
            continue
        assert int(zeros.sum()) >= int(0.75 * before.numel()), name
        if bool((~zeros).any()) and bool(zeros.any()):
            assert before[zeros].abs().max() <= before[~zeros].abs().min()


def test_a_network_without_channels_to_remove_is_refused() -> None:
    rows = rare()
    prepared, _ = prepare.fit(rows)
    linear = methods.build("network", {"name": "linear"}).build(prepared.spec)  # type: ignore[attr-defined]
    with pytest.raises(DataError, match="--prune weights"):
        without_channels(linear, prepared, rows, 0.5)


def test_rows_are_balanced_by_class() -> None:
    rows = rare()
    assert np.bincount(rows.codes[balanced_rows(rows, 10)]).tolist() == [10, 10]
    assert np.bincount(rows.codes[balanced_rows(rows, 100)]).tolist() == [100, 15]


def test_weights_of_any_memory_layout_become_zero() -> None:
    """Convolutions of a model of pictures have their channels last; pruning their weights ended in torch's error."""
    layer = nn.Conv2d(3, 8, 3).to(memory_format=torch.channels_last)
    layer.weight.data[0] = 0.5  # large enough to stay
    sparse = without_weights(layer, 0.5)
    assert int((sparse.weight == 0).sum()) == 108  # type: ignore[operator]
    before, kept = layer.weight.detach(), sparse.weight != 0
    assert bool((sparse.weight == before)[kept].all())
    assert float(before.abs()[~kept].max()) <= float(before.abs()[kept].min())
