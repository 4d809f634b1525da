"""Every method of every slot, named on the command line or in TOML, trains on real rows: on every kind of data that it
claims, where it sees features, and on one of these kinds, in turn, where it sees only labels, outputs or weights."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import save_file

from rarebird.data.dataset import Dataset, Outside, Splits
from rarebird.experiment.run import run
from rarebird.readers import read
from rarebird.readers.options import ReadOptions
from rarebird.recipe.recipe import Recipe
from rarebird.recipe.stage_plans import PLANS
from rarebird.slots import methods

pytestmark = pytest.mark.real_data
FILES = {
    "image": "images/pneumoniamnist.npz",
    "table": "tables/adult.train.csv",
    "series": "series/Earthquakes_TRAIN.tsv",
    "values": "tables/california-housing.train.csv",
}
ROWS = 90
# What a method needs beside itself.
RESIDUAL = {"image": "resnet", "table": "transformer", "series": "inception_time"}
# Methods whose default needs a setting, or takes long: their first example.
BY_EXAMPLE = (
    ("resampling", "imbalanced_learn"),
    ("network", "backbone"),
    *(("decision", name) for name in ("abstain", "constrained", "cost")),
    *(("synthesis", name) for name in ("diffusion", "gan", "vae")),
)
# Slots whose methods see no features, so that a kind of data is nothing to them.
BLIND = ("loss", "batch_sampling", "optimizer", "schedule", "calibration", "decision")
# Methods that need a file, which a test of their own makes.
BY_FILE = (("reference", "in_context"),)
COMPANIONS = {"feature_smote": ["batch_sampling=class_balanced"], "ridge": ["network=linear"]}


@cache
def rows_of(shared: Path, what: str) -> Dataset:
    """Rows of a file, classes in turn, so that the rarer one has enough."""
    kind = "table" if what == "values" else what
    train = read(shared / FILES[what], ReadOptions(kind=kind)).train  # type: ignore[arg-type]
    if train.task == "regression":
        return train.take(np.arange(ROWS))
    shares = (ROWS // 3, ROWS - ROWS // 3)
    rarer_first = np.argsort(train.class_counts)
    return train.take(
        np.sort(
            np.concatenate(
                [np.flatnonzero(train.codes == code)[:share] for code, share in zip(rarer_first, shares, strict=True)]
            )
        )
    )


def cases() -> list[object]:
    found: list[tuple[str, str, str]] = []
    for slot in methods.SLOTS:
        for place, card in enumerate(methods.cards(slot)):
            if (slot, card.name) in BY_FILE:
                continue
            kinds = [card.kinds[place % len(card.kinds)]] if slot in BLIND else card.kinds
            if "classification" not in getattr(methods.load(slot, card.name), "tasks", ("classification",)):
                kinds = ["values"]  # no regression of pictures or series is read from files yet
            found += [(slot, card.name, kind) for kind in kinds]
    return [pytest.param(*one, id="-".join(one)) for one in found]


@pytest.mark.parametrize(("slot", "name", "what"), cases())
def test_trains_on_real_rows(slot: str, name: str, what: str, shared_data: Path, tmp_path: Path) -> None:
    train = rows_of(shared_data, what)
    network = {"name": "mlp", "width": 16, "depth": 1}
    base = Recipe(
        kind=train.kind, network=network, steps=4, batch_size=24, folds=0, holdout=0.3, threads=1, precision="float32"
    )
    if what == "values":
        base = base.updated(loss=methods.build("loss", {"name": "mean_squared"}), metric="r2")
    if slot == "transfer":
        base = base.updated(transfer=transfer_of(name, base, train, tmp_path))
    given = methods.load(slot, name).examples()[0].settings() if (slot, name) in BY_EXAMPLE else name
    companions = [f"network={RESIDUAL[what]}"] if name == "stochastic_depth" else COMPANIONS.get(name, [])
    setting = [f"{slot}={given}" if isinstance(given, str) else _assigned(slot, given)]
    recipe = base.with_settings(companions + ([] if slot == "transfer" else setting))
    assert Recipe.from_toml(recipe.to_toml()) == recipe
    assert name in [type(method).name for filled, method in recipe.methods() if filled == slot]

    # Half of the rows are those of another source for a method that joins such rows.
    outside = (Outside(train.take(np.arange(0, ROWS, 2)), ROWS // 2),) if slot == "external" else ()
    own = train.take(np.arange(1, ROWS, 2)) if outside else train
    outcome = run(recipe, Splits(own, outside=outside), test_share=0.25)

    outputs = outcome.model.outputs(outcome.splits.test)
    assert np.isfinite(outputs).all()
    if what != "values":
        np.testing.assert_allclose(outputs.sum(axis=1), 1, rtol=1e-6)
        assert len(outcome.result.test.per_class) == 2


def transfer_of(name: str, base: Recipe, train: Dataset, folder: Path) -> dict[str, object]:
    """A transfer from a model of the same recipe, or without a source of its own."""
    if name not in ("checkpoint", "from_run"):
        return {"name": name}
    model = run(base, Splits(train), test_share=0.25).model
    model.save(folder / "model")
    weights = folder / "weights.safetensors"
    save_file(model.members[0].network.state_dict(), weights)
    return {"name": name, "file": str(weights)} if name == "checkpoint" else {"name": name, "run": str(folder)}


@pytest.mark.parametrize("what", ["image", "table", "series"])
@pytest.mark.parametrize("plan", PLANS)
def test_plans_of_stages_train_on_real_rows(plan: str, what: str, shared_data: Path) -> None:
    train = rows_of(shared_data, what)
    base = Recipe(
        kind=train.kind, network="mlp", steps=10, batch_size=24, folds=0, holdout=0.3, threads=1, precision="float32"
    )
    recipe = base.with_settings([f"stages={plan}"])
    assert Recipe.from_toml(recipe.to_toml()) == recipe
    outcome = run(recipe, Splits(train), test_share=0.25)
    assert np.isfinite(outcome.model.outputs(outcome.splits.test)).all()


def _assigned(slot: str, settings: dict[str, object]) -> str:
    return f"{slot}={{" + ", ".join(f"{key} = {_toml(value)}" for key, value in settings.items()) + "}"


def _toml(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {_toml(entry)}" for key, entry in value.items()) + "}"
    return f'"{value}"' if isinstance(value, str) else str(value).lower() if isinstance(value, bool) else str(value)
