"""Initial weights from a file: what is loaded and listed, what is refused in one sentence, and what a replay needs."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from rarebird.core.checks import DataError
from rarebird.data.dataset import Dataset, Pixels, Splits
from rarebird.experiment.run import Outcome, run
from rarebird.methods.network.backbone import Backbone
from rarebird.methods.network.resnet import Resnet
from rarebird.methods.transfer.checkpoint import Checkpoint
from rarebird.model.model import load
from rarebird.recipe.recipe import Recipe
from rarebird.slots.starting_weights import StartingWeights, StartRows
from tests.methods.network.test_backbone import pictures, recipe, spec

BODIES = ["test_resnet", "test_efficientnet", "test_convnext", "test_vit", "test_nfnet", "test_maxvit"]


def body(model: str, seed: int = 7) -> nn.Module:
    """A body whose tensors all differ from those of a new one, with a head of 1000 classes."""
    torch.manual_seed(seed)
    network = timm.create_model(model)
    with torch.no_grad():
        for part in network.state_dict().values():
            if part.is_floating_point():
                part.add_(0.01 * torch.randn_like(part))
    return network


def saved(model: str, folder: Path, **more: str) -> Path:
    path = folder / f"{model}.safetensors"
    save_file(body(model).state_dict(), path, metadata=more or None)
    return path


def started(method: Checkpoint, network: nn.Module, channels: int = 3) -> StartingWeights:
    return method.start(network, StartRows(spec(channels=channels)))


def probed(file: Path, **changes: Any) -> Outcome:
    settings: dict[str, Any] = {
        "stages": "linear_probe",
        "head": "ridge",
        "steps": None,
        "calibration": ["class_scale_bias", "temperature"],
        "transfer": {"name": "checkpoint", "file": str(file)},
    }
    return run(recipe(**settings | changes), Splits(pictures(60)), test_share=0.25)


@pytest.mark.parametrize("model", BODIES)
def test_a_body_has_the_weights_and_features_of_timm(model: str, tmp_path: Path) -> None:
    source = body(model)
    network: Any = Backbone(model=model, size=160, pooling="mean").build(spec(160, 160)).eval()
    said = started(Checkpoint(file=str(saved(model, tmp_path))), network)
    own = network.body.state_dict()
    assert all(torch.equal(part, own[name]) for name, part in source.state_dict().items() if name in own)
    assert {name.removeprefix("body.") for name in said.loaded} >= {name for name, _ in network.body.named_parameters()}
    assert not said.drawn
    assert said.unused
    assert set(said.unused) == {name for name in source.state_dict() if name not in own}
    pixels = torch.rand(2, 3, 160, 160)
    with torch.no_grad():
        wanted = source.eval().forward_head(source.forward_features(network.standardize(pixels)), pre_logits=True)
        torch.testing.assert_close(network.embed({"pixels": pixels})["embedded"], wanted)


@pytest.mark.parametrize("channels", [1, 4])
def test_other_channels_are_fitted(channels: int, tmp_path: Path) -> None:
    path, source = saved("test_resnet", tmp_path), body("test_resnet")
    network: Any = Backbone(model="test_resnet", size=32).build(spec(channels=channels))
    said = started(Checkpoint(file=str(path)), network, channels)
    assert "body.conv1.0.weight" in said.loaded
    first = network.body.state_dict()["conv1.0.weight"]
    if channels == 1:
        torch.testing.assert_close(first, source.state_dict()["conv1.0.weight"].sum(dim=1, keepdim=True))
    assert first.shape[1] == channels


@pytest.mark.parametrize("nested", ["", "state_dict", "model"])
def test_a_file_of_torch_is_read_without_its_objects(nested: str, tmp_path: Path) -> None:
    state = {f"module.{name}": part for name, part in body("test_resnet").state_dict().items()}
    path = tmp_path / "weights.pth"
    torch.save({nested: state, "epoch": 3} if nested else state, path)
    network: Any = Backbone(model="test_resnet", size=32).build(spec())
    assert not started(Checkpoint(file=str(path)), network).drawn


class Touches:
    """Pickled, it would make a file when it is loaded."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.path),)


def test_a_pickled_object_is_refused_and_not_run(tmp_path: Path) -> None:
    path, made = tmp_path / "weights.pth", tmp_path / "made"
    torch.save({"state_dict": body("test_resnet").state_dict(), "optimizer": Touches(made)}, path)
    with pytest.raises(DataError, match="holds Python objects besides tensors, which could run code"):
        started(Checkpoint(file=str(path)), Backbone(model="test_resnet", size=32).build(spec()))
    assert not made.exists()


def truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1000])


def not_finite(path: Path) -> None:
    tensors = load_file(path)
    tensors["conv1.0.weight"][0] = float("nan")
    save_file(tensors, path)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (truncated, "is no whole safetensors file"),
        (not_finite, r"'conv1.0.weight' of .* infinite or NaN"),
        (lambda path: path.write_text("weights"), "is no whole safetensors file"),
        (lambda path: save_file({}, path), "holds no tensors"),
        (lambda path: path.unlink(), "There is no file"),
        (lambda path: save_file({"a": torch.ones(2)}, path), "No tensor of .* fits .* it has a; the network has"),
        (lambda path: save_file(body("test_vit").state_dict(), path), "Are these weights of another network"),
        (
            lambda path: save_file({"layer1.0.conv1.weight": torch.ones(8, 8, 3, 3)}, path),
            r"not those of this network: size mismatch for layer1.0.conv1.weight",
        ),
    ],
)
def test_a_file_that_cannot_be_used_is_one_sentence(change: Any, sentence: str, tmp_path: Path) -> None:
    path = saved("test_resnet", tmp_path)
    change(path)
    with pytest.raises(DataError, match=sentence) as caught:
        probed(path)
    assert "\n" not in str(caught.value)


def test_other_files_and_absent_ones_are_one_sentence(tmp_path: Path) -> None:
    network = Backbone(model="test_resnet", size=32)
    (tmp_path / "weights.npz").write_text("x")
    with pytest.raises(DataError, match=r"must end with one of \.safetensors"):
        started(Checkpoint(file=str(tmp_path / "weights.npz")), network.build(spec()))
    with pytest.raises(DataError, match="is a folder"):
        started(Checkpoint(file=str(tmp_path)), network.build(spec()))
    with pytest.raises(DataError, match=r"Name their file with --set transfer.file=FILE"):
        Checkpoint().recorded(Resnet())


def test_weights_that_are_not_on_this_machine_are_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(DataError, match=r"no weights of 'resnet18' on this machine, and nothing is fetched") as caught:
        Checkpoint().recorded(Backbone(model="resnet18"))
    assert "transfer.file=FILE" in str(caught.value)


def test_weights_in_the_cache_of_timm_are_found_with_their_licence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rarebird.methods.transfer._timm_cache.cache_of_hub", lambda: tmp_path)
    snapshot = tmp_path / "models--timm--test_resnet.r160_in1k" / "snapshots" / "0"
    snapshot.mkdir(parents=True)
    (snapshot.parents[1] / "refs").mkdir()
    (snapshot.parents[1] / "refs" / "main").write_text("0")
    saved("test_resnet", tmp_path).rename(snapshot / "model.safetensors")
    network = Backbone(model="test_resnet", size=32)
    said = started(Checkpoint(), network.build(spec()))
    assert said.license == timm.get_pretrained_cfg("test_resnet").license
    recorded = Checkpoint().recorded(network)
    assert recorded.file == str(snapshot / "model.safetensors")


def test_the_licence_comes_from_the_user_the_file_or_beside_it(tmp_path: Path) -> None:
    network: Any = Backbone(model="test_resnet", size=32)
    path = saved("test_resnet", tmp_path, license="cc-by-nc-4.0")
    said = started(Checkpoint(file=str(path)), network.build(spec()))
    assert said.license == "cc-by-nc-4.0"
    assert "forbids commercial use" in " ".join(said.sentences())
    assert started(Checkpoint(file=str(path), license="mit"), network.build(spec())).license == "mit"
    path = saved("test_resnet", tmp_path)
    assert "states no licence" in " ".join(started(Checkpoint(file=str(path)), network.build(spec())).sentences())
    (tmp_path / "config.json").write_text(json.dumps({"pretrained_cfg": {"license": "apache-2.0"}}))
    said = started(Checkpoint(file=str(path)), network.build(spec()))
    assert said.license == "apache-2.0"
    assert not said.is_non_commercial


def test_a_run_keeps_the_licence_and_the_fingerprint_and_its_recipe_repeats_it(tmp_path: Path) -> None:
    path = saved("test_resnet", tmp_path, license="cc-by-nc-sa-4.0")
    outcome = probed(path)
    assert any("forbids commercial use" in note for note in outcome.result.notes)
    outcome.model.save(tmp_path / "model")
    model = load(tmp_path / "model")
    kept = model.members[0].started
    assert kept is not None
    assert kept.license == "cc-by-nc-sa-4.0"
    assert len(kept.fingerprint) == 64
    assert kept.unused == ("fc.bias", "fc.weight")
    assert isinstance(outcome.recipe, Recipe)
    recorded = Recipe.from_toml(outcome.recipe.to_toml())
    again = run(recorded, Splits(pictures(60)), test_share=0.25)
    np.testing.assert_array_equal(again.model.outputs(pictures(60)), model.outputs(pictures(60)))
    # The model needs the file no more; the recipe does, and this very one.
    save_file(body("test_resnet", seed=8).state_dict(), path)
    load(tmp_path / "model")
    with pytest.raises(DataError, match="is not the file that the recipe was trained with"):
        run(recorded, Splits(pictures(60)), test_share=0.25)


def test_a_probe_judges_every_row_once_and_its_body_does_not_change_by_a_bit(tmp_path: Path) -> None:
    outcome = probed(saved("test_resnet", tmp_path))
    (member,) = outcome.model.members
    source, own = body("test_resnet").state_dict(), member.network.body.state_dict()
    names = [name for name in source if name in own and name != "conv1.0.weight"]
    assert len(names) > 20
    assert all(torch.equal(source[name], own[name]) for name in names)
    assert outcome.out_of_fold is not None
    assert np.isfinite(outcome.out_of_fold).all()


def test_own_networks_take_what_fits_by_name(tmp_path: Path) -> None:
    torch.manual_seed(0)
    source = Resnet(width=8).build(spec())
    path = tmp_path / "own.safetensors"
    save_file({**source.state_dict(), "extra": torch.ones(3)}, path)
    network = Resnet(width=8).build(spec())
    before: dict[str, Tensor] = {name: part.clone() for name, part in network.head.state_dict().items()}
    said = started(Checkpoint(file=str(path)), network)
    assert set(said.unused) == {"head.weight", "head.bias", "extra"}
    assert not said.drawn
    after = network.state_dict()
    assert all(torch.equal(after[name], part) for name, part in source.state_dict().items() if "head" not in name)
    assert all(torch.equal(after[f"head.{name}"], part) for name, part in before.items())


def rows_of_two_parts() -> Dataset:
    rng = np.random.default_rng(1)
    source = Pixels(rng.integers(0, 256, (40, 3, 16, 16), dtype=np.uint8))
    return Dataset(
        "image", "classification", source, np.arange(40), np.arange(40) % 2, ("a", "b"), np.arange(40).astype(str)
    )


def test_every_fold_of_a_fine_tuning_begins_with_the_weights(tmp_path: Path) -> None:
    path = saved("test_resnet", tmp_path)
    tuned = recipe(transfer={"name": "checkpoint", "file": str(path)}, folds=2, holdout=None, steps=1)
    tuned = tuned.updated(optimizer={"name": "sgd", "learning_rate": 1e-12, "weight_decay": 0.0})
    outcome = run(tuned, Splits(rows_of_two_parts()), test_share=0.2)
    source = body("test_resnet").state_dict()["layer1.0.conv1.weight"]
    assert len(outcome.model.members) == 2
    for member in outcome.model.members:
        torch.testing.assert_close(member.network.body.state_dict()["layer1.0.conv1.weight"], source)


@pytest.mark.real_data
def test_real_weights_of_imagenet(shared_data: Path) -> None:
    path = shared_data / "weights" / "mobilenetv2_100_imagenet.safetensors"
    network: Any = Backbone(model="mobilenetv2_100", model_args={"pad_type": "same"}, size=64).build(spec())
    said = started(Checkpoint(file=str(path)), network)
    assert not said.drawn
    assert set(said.unused) == {"classifier.weight", "classifier.bias"}
