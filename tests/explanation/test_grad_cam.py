"""Grad-CAM: captum gives the same maps; every convolutional network names its own; the plant is found."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from captum.attr import LayerGradCam, LayerGradientXActivation
from torch.nn import functional

from rarebird.data.dataset import Dataset, Pixels
from rarebird.explanation.explain import Explainer
from rarebird.explanation.grad_cam import grad_cam, has_maps
from rarebird.explanation.shipped import ShippedOutput
from rarebird.model.model import Model
from tests.explanation import planted

BODIES = ["test_resnet", "test_efficientnet", "test_convnext", "test_nfnet"]
NETWORKS: list[dict[str, Any]] = [
    {"name": "cnn", "width": 4, "dense": 8},
    {"name": "resnet", "width": 4},
    *({"name": "backbone", "model": body, "size": 32, "pooling": "mean"} for body in BODIES),
]


@pytest.mark.parametrize("network", NETWORKS, ids=lambda one: one.get("model", one["name"]))
def test_captum_gives_the_same_maps(network: dict[str, Any]) -> None:
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
    layer = net.get_submodule(net.feature_map)
    products = LayerGradientXActivation(output, layer).attribute(rows[0]["pixels"])
    referees = [products.sum(dim=1, keepdim=True)]
    if network.get("pooling") == "mean":  # the gradient is the same at all places
        referees.append(LayerGradCam(output, layer).attribute(rows[0]["pixels"]))
    for referee in referees:
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
    corner, everywhere = _corner(model, data, 4)
    assert (corner > 5 * everywhere).all()


def test_behind_a_dense_layer_each_place_has_its_own_gradient() -> None:
    """Where the place of a patch decides: means of the gradient over the map give less than 2.5 here."""
    data = planted.pictures(side=24)
    assert isinstance(data.source, Pixels)
    pixels = data.source.array.copy()
    pixels[:, :, :8, :8] = pixels[:, :, 8:16, 8:16]
    for rare, corner in ((1, slice(0, 8)), (0, slice(16, 24))):
        pixels[data.codes == rare, :, corner, corner] += 150
    data = replace(data, source=Pixels(pixels))
    model = planted.model_of(data, network={"name": "cnn", "width": 8, "dense": 32}, steps=40)
    corner, everywhere = _corner(model, data, 8)
    assert (corner > 3.5 * everywhere).all()


def _corner(model: Model, data: Dataset, side: int) -> tuple[np.ndarray, np.ndarray]:
    """The mean of the map of eight rare rows in the corner, and everywhere."""
    shipped = ShippedOutput(model)
    rare = data.take(np.flatnonzero(data.codes == 1)[:8])
    maps = grad_cam(shipped, shipped.inputs(rare), np.ones(8, dtype=np.int64)).values[:, 0]
    return maps[:, :side, :side].mean(axis=(1, 2)), maps.mean(axis=(1, 2))
