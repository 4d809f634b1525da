"""Grad-CAM: captum gives the same map; every convolutional network names its own; the plant is found."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from captum.attr import LayerGradCam
from torch.nn import functional

from rarebird.explanation.explain import Explainer
from rarebird.explanation.grad_cam import grad_cam, has_maps
from rarebird.explanation.shipped import ShippedOutput
from tests.explanation import planted

BODIES = ["test_resnet", "test_efficientnet", "test_convnext", "test_nfnet"]
NETWORKS: list[dict[str, Any]] = [
    {"name": "cnn", "width": 4, "dense": 8},
    {"name": "resnet", "width": 4},
    *({"name": "backbone", "model": body, "size": 32, "pooling": "mean"} for body in BODIES),
]


@pytest.mark.parametrize("network", NETWORKS, ids=lambda one: one.get("model", one["name"]))
def test_captum_gives_the_same_map(network: dict[str, Any]) -> None:
    data = planted.pictures(24)
    model = planted.model_of(data, network=network, steps=2, folds=0, holdout=0.3, calibration=["prior_correction"])
    shipped = ShippedOutput(model)
    assert has_maps(shipped)
    rows, codes = shipped.inputs(data.take(np.arange(3))), np.array([1, 0, 1])
    found = grad_cam(shipped, rows, codes)
    net: Any = model.members[0].network

    def output(pixels: torch.Tensor) -> torch.Tensor:
        return shipped.of_logits([net({"pixels": pixels})], torch.from_numpy(codes))

    # A layer behind may change the map in place, which captum's hook would see.
    for module in net.modules():
        if getattr(module, "inplace", False):
            module.inplace = False
    referee = LayerGradCam(output, net.get_submodule(net.feature_map)).attribute(rows[0]["pixels"])
    large = functional.interpolate(referee.detach(), found.values.shape[2:], mode="bilinear", align_corners=False)
    np.testing.assert_allclose(found.values, large.clamp(min=0).numpy(), rtol=1e-3, atol=1e-6)


def test_networks_of_tokens_and_other_kinds_have_no_map() -> None:
    data = planted.pictures(24)
    for network in ({"name": "backbone", "model": "test_vit", "size": 32}, {"name": "transformer", "depth": 1}, "mlp"):
        model = planted.model_of(data, network=network, steps=1, folds=0, holdout=0.3)
        assert not has_maps(ShippedOutput(model))
        assert "grad_cam" not in Explainer(model, data).methods()


def test_the_plant_is_where_the_map_is_largest() -> None:
    data = planted.pictures()
    model = planted.model_of(data, network={"name": "resnet", "width": 8}, steps=30)
    rare = data.take(np.flatnonzero(data.codes == 1)[:8])
    shipped = ShippedOutput(model)
    maps = grad_cam(shipped, shipped.inputs(rare), np.ones(8, dtype=np.int64)).values[:, 0]
    corner = maps[:, :4, :4].mean(axis=(1, 2))
    assert (corner > 5 * maps.mean(axis=(1, 2))).all()
