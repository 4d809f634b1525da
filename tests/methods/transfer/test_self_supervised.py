"""Learning without labels: the losses against their definitions, and what is planned, recorded and repeated."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from rarebird.core.checks import DataError
from rarebird.data import prepare
from rarebird.data.dataset import Dataset, Splits
from rarebird.data.spec import InputSpec
from rarebird.experiment.run import run
from rarebird.methods.transfer._masked_cells import MaskedCells, exchanged
from rarebird.methods.transfer._two_views import simclr, vicreg
from rarebird.methods.transfer.self_supervised import SelfSupervised
from rarebird.readers.unlabeled import fitted
from rarebird.recipe.recipe import Recipe
from rarebird.training.network_trainer import NetworkTrainer
from rarebird.training.pretraining import Pretraining, PretrainingRows
from tests.contracts.test_external import pictures, series
from tests.test_no_leak import rows as table_rows

QUICK = {"name": "self_supervised", "epochs": 2, "batch_size": 16}


def test_vicreg_is_the_sum_of_its_three_terms() -> None:
    rng = np.random.default_rng(0)
    one, two = rng.normal(size=(2, 12, 3)) * [0.5, 2.0, 1.0]
    terms = [25 * ((one - two) ** 2).mean()]
    for z in (one, two):
        covariance = np.cov(z.T)
        terms.append(25 * np.maximum(0, 1 - np.sqrt(np.diag(covariance) + 1e-4)).mean() / 2)
        terms.append((covariance**2 * (1 - np.eye(3))).sum() / 3)
    assert float(vicreg(torch.from_numpy(one), torch.from_numpy(two))) == pytest.approx(sum(terms))
    collapsed = torch.zeros(12, 3)
    assert float(vicreg(collapsed, collapsed)) > 24, "equal features for all rows are no solution"


def test_simclr_is_the_mean_cross_entropy_of_the_other_view_among_all_others() -> None:
    rng = np.random.default_rng(0)
    views = rng.normal(size=(2, 5, 4))
    z = views.reshape(10, 4) / np.linalg.norm(views.reshape(10, 4), axis=1, keepdims=True)
    similar = np.exp(z @ z.T / 0.2)
    np.fill_diagonal(similar, 0)
    losses = [-np.log(similar[row, (row + 5) % 10] / similar[row].sum()) for row in range(10)]
    found = simclr(torch.from_numpy(views[0]), torch.from_numpy(views[1]))
    assert float(found) == pytest.approx(np.mean(losses))


def test_exchanged_cells_come_from_the_same_column_and_are_the_marked_ones() -> None:
    generator = torch.Generator().manual_seed(0)
    x = {
        "numbers": torch.arange(400.0).view(200, 2),
        "missing": torch.zeros(200, 2),
        "categories": torch.arange(600).view(200, 3),
    }
    before = {name: part.clone() for name, part in x.items()}
    changed, number, category = exchanged(x, 0.3, generator)
    assert all(torch.equal(x[name], before[name]) for name in x)
    assert torch.equal(changed["numbers"] != x["numbers"], number)
    assert torch.equal(changed["categories"] != x["categories"], category)
    assert set(changed["numbers"][:, 0].tolist()) <= set(x["numbers"][:, 0].tolist())
    assert 0.2 < float(number.float().mean()) < 0.4
    assert 0.2 < float(category.float().mean()) < 0.4


def test_a_table_without_numbers_or_without_categories_can_be_learned() -> None:
    for n, cardinalities in ((0, (3, 4)), (2, ())):
        bins = ((0.0, 1.0),) * n
        spec = InputSpec(
            kind="table", task="regression", n_outputs=1, n_numbers=n, bins=bins, cardinalities=cardinalities
        )
        network: Any = nn.Identity()
        network.features = lambda x: torch.cat([x["numbers"], x["categories"].float()], dim=1)
        x = {
            "numbers": torch.rand(8, n),
            "missing": torch.zeros(8, n),
            "categories": torch.randint(0, 3, (8, len(cardinalities))),
        }
        task = MaskedCells(network, n + len(cardinalities), spec, 0.5)
        loss = task(x, lambda given: given, torch.Generator().manual_seed(0))
        assert torch.isfinite(loss)


@pytest.mark.parametrize("kind", ["image", "series", "table"])
def test_the_body_learns_and_the_recorded_recipe_repeats_the_run(kind: str) -> None:
    made = {"image": pictures, "series": series, "table": table_rows}[kind]
    train, pool = made(40), made(40, seed=5)
    network = {"image": {"name": "cnn", "width": 8, "dense": 8}, "series": {"name": "inception_time", "depth": 3}}
    recipe = Recipe(
        kind=kind, network=network.get(kind, "mlp"), transfer=QUICK, steps=2, batch_size=16, folds=0, holdout=0.3
    )
    splits = Splits(train, unlabeled=fitted(pool, train)[0])
    one = run(recipe, splits, test_share=0)
    assert isinstance(one.recipe, Recipe)
    transfer: Any = one.recipe.transfer
    assert transfer.steps == 5, "two passes over 40 rows in batches of 16"
    assert any("without labels (" in note and "5 steps" in note for note in one.result.notes)
    two = run(Recipe.from_toml(one.recipe.to_toml()), splits, test_share=0)
    other = run(recipe.updated(seed=1), splits, test_share=0)
    plain = run(recipe.updated(transfer=None), splits, test_share=0)
    outputs = [outcome.model.outputs(train) for outcome in (one, two, other, plain)]
    np.testing.assert_array_equal(outputs[0], outputs[1])
    assert not np.allclose(outputs[0], outputs[2])
    assert not np.allclose(outputs[0], outputs[3])


def trainer(recipe: Recipe, train: Dataset, pool: Dataset | None) -> NetworkTrainer:
    unlabeled = None if pool is None else fitted(pool, train)[0]
    return NetworkTrainer(recipe, train, train.take(np.arange(0)), 0, "cpu", unlabeled=unlabeled)


@pytest.mark.parametrize("shared", [True, False])
def test_pretraining_plans_its_share_of_the_time(shared: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a pool one pretraining serves all trainings; without, each has its own."""
    monkeypatch.setattr(Pretraining, "_step_seconds", lambda self, *given: 1.0)
    learns = {"name": "self_supervised", "epochs": 1e9, "share": 0.5}
    recipe = Recipe(kind="image", network="mlp", transfer=learns, threads=1, precision="float32")
    made = trainer(recipe, pictures(40), pictures(40, seed=3) if shared else None)
    planned = made.plan(time.monotonic() + 1e6, 4)
    transfer: Any = planned.transfer
    assert transfer.steps == pytest.approx(4e5 if shared else 1e5, rel=0.01), "0.8 of the half of the time"
    assert made.shared_seconds == pytest.approx(4e5 if shared else 0, rel=0.01)


def test_the_user_can_end_it_and_reads_so() -> None:
    recipe = Recipe(kind="image", network="mlp", transfer={"name": "self_supervised", "steps": 9}, threads=1)
    train = pictures(20)
    prepared, _ = prepare.fit(train)
    made = Pretraining(PretrainingRows(prepared, prepared.inputs(train), None, 0))
    network: Any = recipe.network
    from rarebird.training.device import Placement

    started = made.run(recipe, network.build(prepared.spec), Placement(), None, lambda progress: progress > 0.3)
    assert started.steps == (3, 9)
    assert started.sentences()[1] == "This was ended at step 3 of 9; a repeat of the run takes them all."


def test_what_cannot_be_learned_is_one_sentence() -> None:
    train = table_rows(30)
    base = Recipe(kind="table", network="mlp", transfer=QUICK, steps=1, folds=0, holdout=0.3)
    with pytest.raises(DataError, match=r"objective=simclr is for data of another kind; for table data take mas"):
        run(base.updated(transfer=QUICK | {"objective": "simclr"}), Splits(train), test_share=0)
    with pytest.raises(DataError, match="needs a network with layers to learn before its head"):
        run(base.updated(network="linear"), Splits(train), test_share=0)
    recorded = base.updated(transfer=QUICK | {"fingerprint": "abc"})
    with pytest.raises(DataError, match=r"learned from unlabeled rows .* give them with --unlabeled"):
        run(recorded, Splits(train), test_share=0)
    noted = run(recorded, Splits(train, unlabeled=fitted(table_rows(30, seed=1), train)[0]), test_share=0)
    assert any("not those with which the recipe was recorded" in note for note in noted.result.notes)


def test_views_change_colors_only_where_there_are_three_channels() -> None:
    gray, color = (
        InputSpec(kind="image", task="classification", n_outputs=2, channels=n, height=8, width=8) for n in (1, 3)
    )
    names = [{one["name"] for one in SelfSupervised().views(spec)} for spec in (gray, color)]
    assert names[1] - names[0] == {"hue", "saturation"}
    assert not any("flip" in name for name in names[1])


def test_a_pool_lends_the_columns_of_the_training_rows() -> None:
    train = table_rows(30)
    pool = table_rows(30, seed=1)
    from rarebird.data.dataset import Frame

    lacking = replace(pool, source=Frame(pool.raw().drop(columns="b")))
    unlabeled, notes = fitted(lacking, train)
    assert unlabeled.absent == ("b",)
    assert notes == ["data: columns that it lacks, and that are empty in its rows: 'b'."]
    assert list(unlabeled.rows.raw().columns) == list(train.raw().columns)
    with pytest.raises(DataError, match="holds data of kind 'image', but data holds data of kind 'table'"):
        fitted(pictures(4), train)
