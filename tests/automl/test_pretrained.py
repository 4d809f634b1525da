"""Which weights a search of pictures uses, which settings leave its recipe open, and what it tries with them."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rarebird.automl import command
from rarebird.automl.portfolio import portfolio
from rarebird.automl.pretrained import NO_WEIGHTS, pretrained, without_weights
from rarebird.core.checks import DataError
from rarebird.core.clock import Clock
from rarebird.data.dataset import Dataset, Pixels, Splits
from rarebird.recipe.defaults import default_recipe
from rarebird.recipe.recipe import Recipe
from rarebird.runs.request import Request
from rarebird.training.resolution import at_affordable_size, at_largest_size
from tests.methods.network.test_backbone import pictures
from tests.methods.transfer.test_checkpoint import saved

BACKBONE = "network={name=backbone,model=test_resnet}"


@pytest.fixture(autouse=True)
def no_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))


def base_of(train: Dataset, *settings: str) -> Recipe:
    return default_recipe(train).with_settings(list(settings))


@pytest.mark.parametrize(
    ("settings", "searches"),
    [
        ((), True),
        (("transfer.file=w.safetensors",), True),
        (("transfer={name=checkpoint,file=w.pth}", BACKBONE, "image_size=64"), True),
        ((BACKBONE, "network.size=64", "transfer.file=w.safetensors"), True),
        ((BACKBONE,), False),
        (("network=resnet", "transfer.file=w.safetensors"), False),
        (("transfer={name=from_run,run=runs/x}",), False),
        (("transfer.file=w.safetensors", "stages=linear_probe"), False),
    ],
)
def test_settings_that_only_name_weights_leave_the_recipe_open(settings: tuple[str, ...], searches: bool) -> None:
    assert command.is_asked_for(Request(Path("data"), settings=settings)) == searches


def test_a_setting_names_the_method_of_an_empty_slot() -> None:
    recipe = base_of(pictures(), "transfer.file=w.safetensors")
    assert recipe.transfer is not None
    assert recipe.transfer.settings() == {"name": "checkpoint", "file": "w.safetensors"}
    run = base_of(pictures(), "transfer.run=runs/x").transfer
    assert run is not None
    assert run.name == "from_run"
    with pytest.raises(DataError, match="transfer holds no method"):
        base_of(pictures(), "transfer.flie=w")


def test_the_backbone_is_given_or_read_from_the_file_or_beside_it(tmp_path: Path) -> None:
    train = pictures()
    given = pretrained(base_of(train, BACKBONE, "transfer.file=w.safetensors"))
    assert given is not None
    assert given.network.model == "test_resnet"  # type: ignore[attr-defined]
    named = pretrained(base_of(train, f"transfer.file={tmp_path}/mobilenetv2_100_imagenet.safetensors"))
    assert named is not None
    assert named.network.model == "mobilenetv2_100"  # type: ignore[attr-defined]
    beside = {"architecture": "test_vit", "pretrained_cfg": {"mean": [0.5, 0.5, 0.5], "std": [0.25, 0.25, 0.25]}}
    (tmp_path / "config.json").write_text(json.dumps(beside))
    told: Any = pretrained(base_of(train, f"transfer.file={tmp_path}/model.safetensors"))
    assert (told.network.model, told.network.std) == ("test_vit", (0.25, 0.25, 0.25))
    (tmp_path / "config.json").unlink()
    with pytest.raises(DataError, match="For which network of timm are the weights"):
        pretrained(base_of(train, f"transfer.file={tmp_path}/model.safetensors"))


def test_the_cache_of_timm_is_used_where_there_is_one(tmp_path: Path) -> None:
    assert pretrained(base_of(pictures())) is None
    for name, size in (("resnet18.a1_in1k", 100), ("test_resnet.r160_in1k", 10), ("no_such_model", 1)):
        folder = tmp_path / "cache" / f"models--timm--{name}" / "snapshots" / "0"
        folder.mkdir(parents=True)
        (folder / "model.safetensors").write_bytes(b"x" * size)
    found: Any = pretrained(base_of(pictures()))
    assert found.network.model == "test_resnet.r160_in1k"


def test_with_weights_a_probe_and_a_fine_tuning_compete_before_the_default() -> None:
    train = pictures(side=120)
    base = base_of(train, BACKBONE, "transfer.file=w.safetensors")
    entries = portfolio(train, without_weights(base, train), weights=pretrained(base))
    assert [entry.name for entry in entries] == ["pretrained probe", "patches", "pretrained, tuned", "residual network"]
    probe, _, tuned, default = (entry.recipe for entry in entries)
    assert getattr(probe.head, "class_weight", "") == "balanced"
    assert all(stage.trainable == "head" for stage in probe.stages)
    assert tuned.head is None
    assert tuned.transfer == probe.transfer == base.transfer
    assert default.transfer is None
    assert default.network.settings() | {"size": 96} == default.network.settings()
    assert [entry.name for entry in portfolio(train, base_of(train))] == [
        "linear, pixels",
        "patches",
        "residual network",
    ]


@pytest.mark.parametrize(("asked", "given"), [("", "roots"), (",pooling=statistics", "statistics")])
def test_many_pictures_get_fewer_features_unless_the_user_asks_for_all(
    monkeypatch: pytest.MonkeyPatch, asked: str, given: str
) -> None:
    train = pictures()
    named = f"network={{name=backbone,model=test_resnet{asked}}}"
    found = pretrained(base_of(train, named, "transfer.file=w.safetensors"))
    few: Any = portfolio(train, base_of(train), weights=found)[0].recipe.network
    assert few.pooling == "statistics"
    monkeypatch.setattr("rarebird.automl.portfolio.STATISTICS_ROWS", len(train) - 1)
    many: Any = portfolio(train, base_of(train), weights=found)[0].recipe.network
    assert many.pooling == given


class Measured:
    """A trainer whose prediction of a row takes a known time."""

    own_steps = 1

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def seconds_per_row(self, deadline: float | None = None) -> float:
        return self.seconds


@pytest.mark.parametrize(("seconds", "size"), [(1e-4, 160), (0.01, 128), (10.0, 64)])
def test_the_time_decides_the_size_of_the_pictures(seconds: float, size: int) -> None:
    train = pictures(60, side=40)
    base = base_of(train, BACKBONE, "transfer.file=w.safetensors", "stages=linear_probe", "head=ridge")
    everything = np.arange(60)
    deadline = time.monotonic() + 0.75
    sized = at_affordable_size(base, Measured(seconds), Splits(train), [(everything, everything)], deadline)  # type: ignore[arg-type]
    assert sized.network.size == size  # type: ignore[attr-defined]
    named = base.with_settings(["network.size=64"])
    assert at_affordable_size(named, Measured(9.0), Splits(train), [(everything, everything)], deadline) is named  # type: ignore[arg-type]


@pytest.mark.parametrize(("side", "size"), [(8, 64), (32, 128), (39, 128), (200, 160)])
def test_small_pictures_are_not_enlarged_more_than_fourfold(side: int, size: int) -> None:
    """Whatever the time: of pictures of 32 px, a body sees less at 224 px than at 128."""
    train, everything = pictures(6, side=side), np.arange(6)
    base = base_of(train, BACKBONE, "transfer.file=w.safetensors", "stages=linear_probe", "head=ridge")
    assert at_largest_size(base, Splits(train)).network.size == size  # type: ignore[attr-defined]
    deadline = time.monotonic() + 1e6
    sized = at_affordable_size(base, Measured(1e-4), Splits(train), [(everything, everything)], deadline)  # type: ignore[arg-type]
    assert sized.network.size == size  # type: ignore[attr-defined]


def test_a_fine_tuning_gets_smaller_pictures_than_a_probe() -> None:
    train = pictures(60, side=40)
    base = base_of(train, BACKBONE, "transfer.file=w.safetensors")
    part, deadline = [(np.arange(40), np.arange(40, 60))], time.monotonic() + 13
    frozen = base.with_settings(["stages=linear_probe"])
    sizes = [
        at_affordable_size(one, Measured(0.01), Splits(train), part, deadline).network.size  # type: ignore[arg-type, attr-defined]
        for one in (frozen, base)
    ]
    assert sizes == [160, 128]


@pytest.mark.xdist_group("search")
def test_a_search_with_weights_ships_what_it_finds_and_says_where_they_come_from(tmp_path: Path) -> None:
    data = tmp_path / "rows.npz"
    train = pictures(90, side=16)
    assert isinstance(train.source, Pixels)
    np.savez(data, X=train.source.array.transpose(0, 2, 3, 1), y=train.codes)
    weights = saved("test_resnet", tmp_path, license="cc-by-nc-4.0")
    settings = (BACKBONE, "network.size=32", f"transfer.file={weights}", "folds=3")
    request = Request(data, tmp_path / "run", settings=settings, threads=1)
    assert command.is_asked_for(request)
    outcome = command.fit(request, Clock(12))
    tried = {one.name: one for one in outcome.result.tried}
    assert tried["pretrained probe"].runs == 1
    notes = " ".join(outcome.result.notes)
    assert NO_WEIGHTS not in notes
    members = [one for one in outcome.model.members if one.started is not None]
    if members:
        assert "forbids commercial use" in notes
