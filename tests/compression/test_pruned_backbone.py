"""A pruned backbone is saved by its widths alone, loaded without a hub, and exported."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from rarebird.compression.pruning import without_channels
from rarebird.model.model import load
from rarebird.model.onnx.file import agreement, write_onnx
from tests.model.onnx.test_file import fitted, pictures

pytestmark = pytest.mark.xdist_group("onnx")


def test_a_pruned_backbone_is_saved_loaded_and_exported(tmp_path: Path) -> None:
    network = {"name": "backbone", "model": "test_efficientnet", "size": 32}
    model = fitted("image", network=network)
    before = sum(one.numel() for one in model.members[0].network.parameters())
    members = [
        replace(one, network=without_channels(one.network, one.prepared, pictures(30), 0.5)) for one in model.members
    ]
    assert sum(one.numel() for one in members[0].network.parameters()) < 0.4 * before
    model = replace(model, members=members)
    model.save(tmp_path / "model")
    described = json.loads((tmp_path / "model" / "model.json").read_text(encoding="utf-8"))
    assert any(one.get("widths") for one in described["members"])
    again, rows = load(tmp_path / "model"), pictures(40, seed=1)
    with torch.no_grad():
        np.testing.assert_allclose(again.outputs(rows), model.outputs(rows), atol=1e-6)
    write_onnx(again, tmp_path / "model.onnx")
    assert agreement(again, tmp_path / "model.onnx", rows).difference < 1e-4
