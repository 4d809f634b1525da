"""timm's networks as bodies: timm's own features, any channels and sizes, and a model folder that asks nobody."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch

from rarebird.core import memory
from rarebird.core.checks import DataError
from rarebird.data.dataset import Dataset, Pixels, Splits
from rarebird.data.spec import InputSpec
from rarebird.experiment.run import run
from rarebird.methods.network._backbone_network import signed_root
from rarebird.methods.network._timm_models import LEAST_VARIANCE, pooled
from rarebird.methods.network.backbone import Backbone
from rarebird.model.model import load
from rarebird.recipe.recipe import Recipe
from rarebird.training.inference import rows_at_once
from rarebird.training.loop import Training
from rarebird.training.network_trainer import NetworkTrainer

BODIES = ["test_resnet", "test_efficientnet", "test_convnext", "test_vit", "test_maxvit", "test_nfnet"]


def spec(height: int = 40, width: int = 40, channels: int = 3) -> InputSpec:
    return InputSpec(
        kind="image",
        task="classification",
        n_outputs=3,
        channels=channels,
        height=height,
        width=width,
        mean=(0.2,) * channels,
        std=(0.7,) * channels,
    )


def pictures(n: int = 36, side: int = 12, channels: int = 1) -> Dataset:
    """Three classes, each brighter than the one before."""
    rng = np.random.default_rng(0)
    y = np.arange(n) % 3
    pixels = np.clip(rng.normal(60 + 70 * y[:, None, None, None], 20, (n, channels, side, side)), 0, 255)
    source = Pixels(pixels.astype(np.uint8))
    return Dataset("image", "classification", source, np.arange(n), y, ("a", "b", "c"), np.arange(n).astype(str))


def recipe(**changes: Any) -> Recipe:
    settings: dict[str, Any] = {"name": "backbone", "model": "test_resnet", "size": 32}
    base = {"kind": "image", "network": settings, "steps": 3, "batch_size": 8, "folds": 0, "holdout": 0.3, "threads": 1}
    return Recipe(**{**base, "precision": "float32", **changes})


@pytest.mark.parametrize("model", BODIES)
def test_features_are_those_of_timm_standardized(model: str) -> None:
    torch.manual_seed(0)
    network = Backbone(model=model, size=160, pooling="mean").build(spec(160, 160)).eval()
    pixels = torch.rand(2, 3, 160, 160)
    config = timm.data.resolve_model_data_config(timm.create_model(model))
    mean, std = (torch.tensor(config[name])[:, None, None] for name in ("mean", "std"))
    with torch.no_grad():
        wanted = network.body((pixels - mean) / std)
        wide = network.scale(wanted)
        torch.testing.assert_close(network.features({"pixels": pixels}), wide, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("model", BODIES)
def test_maxima_and_inner_maps_come_beside_the_mean(model: str) -> None:
    torch.manual_seed(0)
    pixels, widths = {"pixels": torch.rand(2, 3, 160, 160)}, []
    before = torch.empty(0)
    for pooling in ("mean", "mean_max", "levels"):
        torch.manual_seed(1)
        network = Backbone(model=model, size=160, pooling=pooling).build(spec(160, 160)).eval()
        embedded = network.embed(pixels)["embedded"]
        if widths:
            torch.testing.assert_close(embedded[:, : widths[-1]], before)
        widths.append(embedded.shape[1])
        before = embedded
        assert network.head.in_features == embedded.shape[1]
    body = network.body
    assert widths[:2] == [body.head_hidden_size, body.head_hidden_size + body.num_features]
    assert len(network.levels) >= 3
    with torch.no_grad():
        inner = body.forward_intermediates(network.standardize(pixels["pixels"]), intermediates_only=True)
    torch.testing.assert_close(before[:, -inner[-1].shape[1] :], inner[network.levels[-1]].amax(dim=(2, 3)))


def test_roots_are_weighted_so_that_no_part_drowns_another() -> None:
    pixels = {"pixels": torch.rand(4, 3, 64, 64)}
    networks = []
    for pooling in ("levels", "roots"):
        torch.manual_seed(1)
        networks.append(Backbone(model="test_resnet", size=64, pooling=pooling).build(spec(64, 64)).eval())
    assert networks[0].levels == networks[1].levels
    levels, roots = (network.embed(pixels)["embedded"] for network in networks)
    torch.testing.assert_close(roots, levels.sign() * levels.abs().sqrt(), atol=0.04, rtol=0)
    assert "emphasis" not in networks[1].state_dict()
    weights = torch.split(networks[1].emphasis, _widths(networks[1]))
    parts = [(len(part), float(part.square().sum())) for part in weights]
    (few, small), (many, large) = min(parts), max(parts)
    assert many > few
    assert large / small == pytest.approx((many / few) ** 0.5)
    assert sum(size for _, size in parts) == pytest.approx(sum(width for width, _ in parts))


def test_roots_also_read_the_maps_between_those_of_one_size() -> None:
    wide, all_of_them = (
        Backbone(model="mobilenetv2_100", size=32, pooling=pooling).build(spec(32, 32))
        for pooling in ("levels", "roots")
    )
    assert len(wide.levels) == 5
    # The stem and seven blocks.
    assert all_of_them.levels == tuple(range(8))
    assert all_of_them.head.in_features == wide.head.in_features + 2 * (32 + 64 + 160)


@pytest.mark.parametrize("model", ["test_resnet", "test_vit"])
def test_statistics_add_minima_and_deviations_of_inner_maps_to_the_roots(model: str) -> None:
    pixels = torch.rand(4, 3, 160, 160)
    networks = []
    for pooling in ("roots", "statistics"):
        torch.manual_seed(1)
        networks.append(Backbone(model=model, size=160, pooling=pooling).build(spec(160, 160)).eval())
    roots, both = (network.embed({"pixels": pixels})["embedded"] for network in networks)
    with torch.no_grad():
        seen = networks[1].standardize(pixels)
        inner = networks[1].body.forward_intermediates(seen, indices=list(networks[1].levels), intermediates_only=True)
    place = start = roots.shape[1] - 2 * sum(level.shape[1] for level in inner)
    torch.testing.assert_close(both[:, :start], roots[:, :start])
    for level in inner:
        width = level.shape[1]
        torch.testing.assert_close(both[:, place : place + 2 * width], roots[:, start : start + 2 * width])
        values = level.flatten(2)
        deviations = (values.var(dim=2, correction=0) + LEAST_VARIANCE).sqrt()
        added = signed_root(torch.cat([values.amin(dim=2), deviations], dim=1))
        torch.testing.assert_close(both[:, place + 2 * width : place + 4 * width], added, atol=1e-3, rtol=1e-3)
        place, start = place + 4 * width, start + 2 * width
    assert place == both.shape[1] == networks[1].head.in_features


def test_statistics_are_cut_at_three_deviations() -> None:
    network: Any = Backbone(model="test_resnet", size=32).build(spec(32, 32)).eval()
    embedded = torch.randn(200, network.head.in_features)
    embedded[0], embedded[1] = 50, -50
    network.fit_scale(embedded, torch.ones(200))
    scaled = network.features({"embedded": embedded}) / network.emphasis
    torch.testing.assert_close(scaled[0], torch.full_like(scaled[0], 3.0))
    torch.testing.assert_close(scaled[1], torch.full_like(scaled[1], -3.0))
    within = network.scale(embedded).abs() < 3
    torch.testing.assert_close(scaled[within], network.scale(embedded)[within])


def test_the_slope_of_a_constant_map_is_finite() -> None:
    network: Any = Backbone(model="test_resnet", size=32).build(spec(32, 32)).train()
    network({"pixels": torch.zeros(3, 3, 32, 32)}).square().sum().backward()
    assert all(one.grad is None or one.grad.isfinite().all() for one in network.parameters())


def test_the_slope_of_a_root_at_zero_is_finite() -> None:
    values = torch.tensor([0.0, -0.0, 1e-12, -2.0, 3.0], requires_grad=True)
    signed_root(values).sum().backward()
    assert values.grad is not None
    assert values.grad.isfinite().all()
    assert signed_root(values.detach()).tolist() == pytest.approx([0, 0, 0, -(2**0.5), 3**0.5], abs=0.04)


@pytest.mark.parametrize(("channels", "means"), [(1, 1), (3, 3), (4, 4), (7, 7)])
def test_any_number_of_channels(channels: int, means: int) -> None:
    network = Backbone(model="test_resnet", size=32).build(spec(channels=channels)).eval()
    assert network.standardize.mean.numel() == means
    assert network({"pixels": torch.rand(2, channels, 20, 25)}).shape == (2, 3)


def test_gray_pictures_pass_in_batches_of_the_same_size_as_colored_ones() -> None:
    """A body's maps have as many channels for either; 20 gray pictures of 224 px at a time take half as long again."""
    at_once = []
    for channels in (1, 3):
        network = Backbone(model="test_resnet", size=224).build(spec(30, 30, channels))
        at_once.append(rows_at_once({"pixels": torch.zeros(60, channels, 30, 30)}, "cpu", network))
    assert at_once[0] == at_once[1] < 10


def test_pictures_keep_their_ratio_unless_the_body_needs_a_square() -> None:
    wide = spec(height=20, width=80)
    assert Backbone(model="test_resnet", size=64).build(wide).sides == (32, 128)
    assert Backbone(model="test_vit", size=64).build(wide).sides == (64, 64)


def test_the_own_mean_and_std_replace_those_of_the_data_config() -> None:
    network = Backbone(model="test_resnet", size=32, mean=0.5, std=(0.5, 0.25, 1.0)).build(spec())
    assert network.standardize.mean.flatten().tolist() == [0.5] * 3
    assert network.standardize.std.flatten().tolist() == [0.5, 0.25, 1.0]


@pytest.mark.parametrize("name", ["resnet_18", "mobilenet_v2", "hf_hub:timm/resnet18.a1_in1k", "local-dir:/tmp/x"])
def test_a_name_that_timm_lacks_is_refused_with_the_nearest(name: str) -> None:
    with pytest.raises(DataError, match="timm has no model") as caught:
        recipe(network={"name": "backbone", "model": name})
    assert "\n" not in str(caught.value)
    assert "nearest names are" in str(caught.value)


@pytest.mark.parametrize("name", ["pretrained", "pretrained_cfg_overlay", "checkpoint_path", "num_classes", "in_chans"])
def test_arguments_that_would_fetch_weights_are_refused(name: str) -> None:
    with pytest.raises(DataError, match=f"model_args cannot hold '{name}'"):
        recipe(network={"name": "backbone", "model": "test_resnet", "model_args": {name: "x"}})


def test_an_argument_that_the_model_lacks_is_one_sentence() -> None:
    with pytest.raises(DataError, match="cannot be built") as caught:
        Backbone(model="test_resnet", model_args={"colour": "red"}).build(spec())
    assert "colour" in str(caught.value)


def test_a_size_that_is_too_small_is_one_sentence() -> None:
    with pytest.raises(DataError, match=r"does not take pictures of 10 x 10 px .* made for 299 px") as caught:
        Backbone(model="inception_v3", size=10).build(spec())
    assert "\n" not in str(caught.value)


def test_a_frozen_body_is_passed_once_and_does_not_change(monkeypatch: pytest.MonkeyPatch) -> None:
    train, probe = pictures(), recipe(stages=[{"trainable": "head"}], regularization=["ema", "swa"], steps=12)
    trainer = NetworkTrainer(probe, train, train.take(np.arange(0)), 0, "cpu")
    training: Training = trainer.training(trainer._placements()[0])
    assert set(training.rows.inputs) == {"embedded"}
    before = {name: value.clone() for name, value in training.network.body.state_dict().items()}
    weights = training.network.head.weight.clone()
    trained = trainer.run(_planned(trainer), lambda progress: False).network
    after = trained.body.state_dict()
    assert all(torch.equal(after[name], value) for name, value in before.items())
    assert not torch.equal(trained.head.weight, weights)


def test_a_body_that_learns_or_rows_that_are_augmented_are_not_frozen() -> None:
    train = pictures()
    for changes in ({}, {"stages": [{"trainable": "head"}], "augmentation": ["brightness"]}):
        trainer = NetworkTrainer(recipe(**changes), train, train.take(np.arange(0)), 0, "cpu")
        assert set(trainer.training(trainer._placements()[0]).rows.inputs) == {"pixels"}


def test_a_model_folder_loads_in_a_fresh_process_that_can_reach_nobody(tmp_path: Path) -> None:
    train = pictures()
    model = run(recipe(), Splits(train), test_share=0.25).model
    model.save(tmp_path / "model")
    np.save(tmp_path / "pixels.npy", train.source.array)
    script = f"""
import socket
def refused(*args, **kwargs):
    raise OSError("no network in this test")
socket.socket.connect = socket.create_connection = socket.getaddrinfo = refused
import huggingface_hub, timm
def asked(*args, **kwargs):
    raise AssertionError("a hub was asked")
huggingface_hub.hf_hub_download = timm.models._hub.download_cached_file = asked
import numpy as np
from rarebird.data.dataset import Dataset, Pixels
from rarebird.model.model import load
pixels = np.load({str(tmp_path / "pixels.npy")!r})
n = len(pixels)
ids = np.arange(n).astype(str)
rows = Dataset("image", "classification", Pixels(pixels), np.arange(n), None, ("a", "b", "c"), ids)
np.save({str(tmp_path / "outputs.npy")!r}, load({str(tmp_path / "model")!r}).outputs(rows))
"""
    done = subprocess.run([sys.executable, "-c", script], env=os.environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    np.testing.assert_array_equal(np.load(tmp_path / "outputs.npy"), model.outputs(train))


def test_a_model_file_cannot_name_a_hub(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    run(recipe(), Splits(pictures()), test_share=0.25).model.save(folder)
    text = json.loads((folder / "model.json").read_text())
    text["recipe"]["network"]["model"] = "hf_hub:someone/something"
    (folder / "model.json").write_text(json.dumps(text))
    with pytest.raises(DataError, match="timm has no model 'hf_hub:someone/something'"):
        load(folder)


def _widths(network: Any) -> list[int]:
    """How many features each part of a network has."""
    with torch.no_grad():
        parts = pooled(network.body, torch.rand(1, 3, 64, 64), "roots", network.levels)
    return [part.shape[1] for part in parts]


def _planned(trainer: NetworkTrainer) -> Any:
    from rarebird.training.trainer import TrainingPlan

    return TrainingPlan(trainer.plan(None, 1))


def test_the_memory_of_a_step_is_that_of_the_pictures_as_the_network_sees_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures of 12 pixels are small, but this body sees them in 640."""
    monkeypatch.setattr(memory, "free_bytes", lambda: 2.0**24)
    large = recipe(network={"name": "backbone", "model": "test_resnet", "size": 640})
    with pytest.raises(DataError, match=r"A training step of backbone on 8 rows takes .* network\.size"):
        run(large, Splits(pictures()), device="cpu", test_share=0)
