"""TabICL from a local checkpoint, here a small one with random weights: it reads its training rows, is saved with them,
and refuses what it was not made for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from rarebird.automl import command
from rarebird.core.checks import DataError
from rarebird.core.clock import Clock
from rarebird.data.dataset import Splits
from rarebird.experiment.run import run
from rarebird.methods.reference import _tabicl, _tabicl_checkpoint
from rarebird.methods.reference.in_context import NOTE, InContext
from rarebird.model.model import load
from rarebird.recipe.recipe import Recipe
from rarebird.runs.request import Request
from tests.automl.test_command import few  # noqa: F401  (a fixture)
from tests.test_no_leak import rows

tabicl = pytest.importorskip("tabicl._model.tabicl")
pytestmark = pytest.mark.xdist_group("in context")
CONFIG: dict[str, Any] = {
    "max_classes": 4,
    "embed_dim": 16,
    "col_num_blocks": 1,
    "col_nhead": 2,
    "col_num_inds": 4,
    "row_num_blocks": 1,
    "row_nhead": 2,
    "row_num_cls": 2,
    "icl_num_blocks": 2,
    "icl_nhead": 2,
    "zero_init": False,
}


def checkpoint(path: Path, **changes: Any) -> Path:
    """A checkpoint with random weights; the suffix decides its format."""
    config = CONFIG | changes
    torch.manual_seed(0)
    state = tabicl.TabICL(**config).state_dict()
    if path.suffix == ".ckpt":
        torch.save({"config": config, "state_dict": state}, path)
    else:
        save_file(state, path, metadata={"config": json.dumps(config)})
    return path


def recipe(path: Path, **changes: Any) -> Recipe:
    reference = {"name": "in_context", "file": str(path), "rounds": 2}
    return Recipe(kind="table", network="mlp", reference=reference, folds=2, threads=1).updated(**changes)


def test_it_is_trained_saved_and_loaded_without_the_checkpoint(tmp_path: Path) -> None:
    path = checkpoint(tmp_path / "tabicl.safetensors")
    outcome = run(recipe(path), Splits(rows(60)), test_share=0.2)
    assert NOTE in outcome.result.notes
    outputs = outcome.model.outputs(rows(20, seed=3))
    np.testing.assert_allclose(outputs.sum(axis=1), 1, rtol=1e-6)
    assert outputs.std() > 1e-3, "the rows do reach the outputs"
    outcome.model.save(tmp_path / "model")
    path.unlink()
    _tabicl_checkpoint._read.cache_clear()
    np.testing.assert_array_equal(load(tmp_path / "model").outputs(rows(20, seed=3)), outputs)
    recorded = outcome.recipe.reference
    assert isinstance(recorded, InContext)
    assert recorded.fingerprint


def test_it_predicts_as_the_package_does_and_each_row_by_itself(tmp_path: Path) -> None:
    from rarebird.data import prepare

    path = checkpoint(tmp_path / "tabicl.ckpt")
    train, test = rows(40), rows(12, seed=1)
    prepared, _ = prepare.fit(train)
    x, y = prepared.inputs(train), prepared.targets(train)
    module = InContext(file=str(path)).fit(x, y, torch.ones(40), prepared.spec, rounds=1, seed=0, threads=1)
    new = prepared.inputs(test)
    logits = module(new)
    assert torch.allclose(module({name: part[3:4] for name, part in new.items()}), logits[3:4], atol=1e-5)
    network: Any = _tabicl_checkpoint.read(path).network
    table = torch.cat([module._scaled(_tabicl.table_of(x)), module._scaled(_tabicl.table_of(new))])
    with torch.inference_mode():
        own = network(table[None], y.argmax(dim=1)[None].float(), inference_config=_tabicl._config())[0, :, :2]
    assert torch.allclose((own / 0.9).softmax(dim=1), logits.softmax(dim=1), atol=1e-4)
    # Views with other columns and codes are brought back to the classes.
    many = InContext(file=str(path)).fit(x, y, torch.ones(40), prepared.spec, rounds=3, seed=0, threads=1)
    assert many(new).shape == (12, 2)
    assert not torch.allclose(many(new), logits)


def test_a_regression_is_the_mean_of_the_quantiles(tmp_path: Path) -> None:
    from dataclasses import replace

    path = checkpoint(tmp_path / "tabicl.safetensors", max_classes=0, num_quantiles=9)
    data = replace(rows(60), task="regression", classes=(), y=rows(60).raw()["a"].to_numpy())
    outcome = run(recipe(path, loss="mean_squared", metric="r2"), Splits(data), test_share=0.2)
    assert np.isfinite(outcome.model.outputs(data)).all()


def test_what_it_cannot_do_is_one_sentence(tmp_path: Path) -> None:
    path = checkpoint(tmp_path / "tabicl.safetensors")
    data = Splits(rows(40))
    small = recipe(path).reference.model_copy(update={"most_rows": 10})
    damaged = tmp_path / "damaged.safetensors"
    damaged.write_bytes(path.read_bytes()[:2000])
    other = tmp_path / "other.safetensors"
    save_file({"a": torch.zeros(2)}, other)
    pickled = tmp_path / "objects.ckpt"
    torch.save({"config": CONFIG, "state_dict": Path}, pickled)
    for changed, message in (
        (small, "reads at most 10 training rows, but there are"),
        (InContext(), r"Which checkpoint\? .* nothing is fetched here"),
        (InContext(file=str(tmp_path / "none.ckpt")), r"There is no file .*none.ckpt"),
        (InContext(file=str(damaged)), "is no checkpoint of TabICL that can be read"),
        (InContext(file=str(other)), "is no checkpoint of TabICL that can be read"),
        (InContext(file=str(pickled)), "could run code; it is not read"),
        (
            InContext(file=str(checkpoint(tmp_path / "number.ckpt", max_classes=0))),
            "predicts numbers, which",
        ),
        (InContext(file=str(path), fingerprint="0"), "is not the checkpoint that the recipe was trained with"),
    ):
        with pytest.raises(DataError, match=message):
            run(recipe(path).updated(reference=changed), data, test_share=0.2)


def test_arrays_of_a_foreign_model_are_refused(tmp_path: Path) -> None:
    from rarebird.data import prepare

    train = rows(30)
    prepared, _ = prepare.fit(train)
    method = InContext(file=str(checkpoint(tmp_path / "tabicl.safetensors")))
    x, y = prepared.inputs(train), prepared.targets(train)
    module: Any = method.fit(x, y, torch.ones(30), prepared.spec, rounds=1, seed=0, threads=1)
    arrays = module.to_arrays()
    again = method.from_arrays(arrays, prepared.spec)
    assert torch.equal(again(x), module(x))
    name = next(iter(arrays))
    huge = CONFIG | {"embed_dim": 10**5}
    for changed, message in (
        ({"table": arrays["table"][:, :1]}, "the rows have the model's columns"),
        ({"target": arrays["target"] + 7}, "labels are codes of classes"),
        ({"table": arrays["table"] * np.nan}, "numbers are finite"),
        ({name: arrays[name] * np.nan}, "weights are finite"),
        ({name: arrays[name][:1]}, "the tensors are those of its configuration"),
        ({"config": np.frombuffer(json.dumps(huge).encode(), np.uint8)}, "0 <= size"),
        ({"config": np.frombuffer(b'{"a": []}', np.uint8)}, "a configuration has plain values"),
    ):
        with pytest.raises((ValueError, TypeError), match=message):
            method.from_arrays(arrays | changed, prepared.spec)
    with pytest.raises(ValueError, match="it has configuration and rows"):
        method.from_arrays({}, prepared.spec)


def test_a_search_lets_it_compete_where_its_checkpoint_is_named(few: None, tmp_path: Path) -> None:  # noqa: F811
    path = checkpoint(tmp_path / "tabicl.safetensors")
    train = rows(60)
    train.raw().assign(target=np.array(["no", "yes"])[train.codes]).to_csv(tmp_path / "rows.csv", index=False)
    settings = (f"reference.file={path}", "reference.rounds=1")
    assert command.is_asked_for(Request(tmp_path / "rows.csv", settings=settings))
    assert not command.is_asked_for(Request(tmp_path / "rows.csv", settings=("reference=boosted_trees",)))
    request = Request(tmp_path / "rows.csv", tmp_path / "run", settings=(*settings, "folds=2", "threads=1"))
    outcome = command.fit(request, Clock())
    tried = {row.name: row for row in outcome.result.tried}
    assert {"in context", "mlp"} <= set(tried)
    assert tried["in context"].is_reference
    assert tried["in context"].loss is not None
