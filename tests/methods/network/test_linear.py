"""The linear classifier: logistic regression's own answers, a one for each category, and nothing that a line cannot
say."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.linear_model import LinearRegression, LogisticRegression
from torch.nn import functional

from rarebird.data.dataset import Dataset, Frame, Splits
from rarebird.data.spec import InputSpec
from rarebird.experiment.run import run
from rarebird.methods.network.linear import FlatHead, Linear
from rarebird.recipe.recipe import Recipe

N, CLASSES = 200, 3
SPEC = InputSpec(
    kind="table", task="classification", n_outputs=CLASSES, n_numbers=2, bins=((0.0, 1.0),) * 2, cardinalities=(4, 3)
)


def inputs(seed: int = 0) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
    source = torch.Generator().manual_seed(seed)
    missing = (torch.rand(N, 2, generator=source) < 0.2).float()
    numbers = torch.randn(N, 2, generator=source) * (1 - missing)
    categories = torch.stack([torch.randint(codes, (N,), generator=source) for codes in SPEC.cardinalities], dim=1)
    score = torch.stack(
        [numbers[:, 0], -numbers[:, 0] + (categories[:, 0] == 2), 0.5 * numbers[:, 1] + missing[:, 0]], dim=1
    )
    y = (score + torch.randn(N, CLASSES, generator=source)).argmax(dim=1)
    return {"numbers": numbers, "missing": missing, "categories": categories}, y


def flat(x: dict[str, torch.Tensor]) -> np.ndarray:
    ones = [np.eye(codes)[x["categories"][:, place].numpy()] for place, codes in enumerate(SPEC.cardinalities)]
    return np.concatenate([x["numbers"].numpy(), x["missing"].numpy(), *ones], axis=1)


def solved(network: FlatHead, x: dict[str, torch.Tensor], y: torch.Tensor, ridge: float) -> FlatHead:
    """Trained until nothing changes: the least mean cross entropy with a ridge on the weights."""
    optimizer = torch.optim.LBFGS(
        network.parameters(), max_iter=200, tolerance_grad=1e-9, tolerance_change=1e-12, line_search_fn="strong_wolfe"
    )

    def lost() -> torch.Tensor:
        optimizer.zero_grad()
        error = functional.cross_entropy(network(x), y) + ridge / 2 * network.head.weight.square().sum()
        error.backward()
        return error

    optimizer.step(lost)
    return network.eval()


@pytest.mark.parametrize("ridge", [0.05, 1e-3])
def test_trained_to_the_end_it_is_logistic_regression(ridge: float) -> None:
    torch.manual_seed(0)
    x, y = inputs()
    network = solved(Linear().build(SPEC), x, y, ridge)
    theirs = LogisticRegression(C=1 / (ridge * N), tol=1e-8, max_iter=2000).fit(flat(x), y.numpy())
    with torch.no_grad():
        ours = torch.softmax(network(x), dim=1)
    np.testing.assert_allclose(ours.numpy(), theirs.predict_proba(flat(x)), atol=1e-3)


def test_the_row_is_numbers_marks_and_a_one_per_category() -> None:
    x, _ = inputs()
    network = Linear().build(SPEC)
    np.testing.assert_array_equal(network.features(x).numpy(), flat(x))
    assert network.head.weight.shape == (CLASSES, 2 + 2 + 4 + 3)


def test_logits_are_sums_over_columns() -> None:
    """A change of one column adds the same to the logits, for any values of the others."""
    x, _ = inputs()
    network = Linear().build(SPEC).eval()
    moved = {**x, "numbers": x["numbers"] + torch.tensor([2.0, 0.0])}
    other = {**x, "categories": torch.stack([torch.full((N,), 3), x["categories"][:, 1]], dim=1)}
    with torch.no_grad():
        step = network(moved) - network(x)
        torch.testing.assert_close(step, (2 * network.head.weight[:, 0]).expand(N, CLASSES), rtol=1e-4, atol=1e-5)
        weight = network.head.weight[:, 4:8]
        torch.testing.assert_close(
            network(other) - network(x), (weight[:, 3:] - weight[:, x["categories"][:, 0]]).T, rtol=1e-4, atol=1e-5
        )


def test_pictures_and_series_are_one_flat_row() -> None:
    picture = InputSpec(
        kind="image", task="classification", n_outputs=2, channels=1, height=4, width=5, mean=(0.5,), std=(0.5,)
    )
    pixels = torch.rand(3, 1, 4, 5)
    torch.testing.assert_close(Linear().build(picture).features({"pixels": pixels}), (pixels.flatten(1) - 0.5) / 0.5)
    series = InputSpec(
        kind="series", task="classification", n_outputs=2, channels=2, length=6, mean=(0.0,) * 2, std=(1.0,) * 2
    )
    values = torch.randn(3, 2, 6)
    torch.testing.assert_close(
        Linear().build(series).features({"values": values, "lengths": torch.full((3,), 6)}), values.flatten(1)
    )


def test_dropout_leaves_inputs_out_in_training_alone() -> None:
    x, _ = inputs()
    network = Linear(dropout=0.5).build(SPEC)
    torch.manual_seed(0)
    dropped = network.train().features(x).numpy()
    present = flat(x) != 0
    assert 0.4 < (dropped[present] == 0).mean() < 0.6
    np.testing.assert_allclose(dropped[dropped != 0], 2 * flat(x)[dropped != 0])
    np.testing.assert_array_equal(network.eval().features(x).numpy(), flat(x))


def table(task: str) -> Dataset:
    rng = np.random.default_rng(0)
    a, b, n = rng.normal(size=N), rng.normal(size=N), np.arange(N)
    frame = Frame(pd.DataFrame({"a": a, "b": b}))
    if task == "regression":
        return Dataset("table", task, frame, n, 40 + 3 * a - b + rng.normal(size=N), (), n.astype(str))  # type: ignore[arg-type]
    y = (a - 0.5 * b + rng.logistic(size=N) > 0.5).astype(np.int64)
    return Dataset("table", "classification", frame, n, y, ("no", "yes"), n.astype(str))


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_a_long_run_of_the_library_ends_there_too(task: str) -> None:
    """Without decay or calibration, in whole batches: loop and network together come to the referee's answer on the
    prepared numbers."""
    data = table(task)
    optimizer = {"name": "adamw", "learning_rate": 0.1, "weight_decay": 0.0}
    recipe = Recipe(
        kind="table",
        network="linear",
        optimizer=optimizer,
        steps=300,
        batch_size=N,
        folds=0,
        holdout=0.2,
        threads=1,
        **({"loss": "mean_squared", "metric": "r2"} if task == "regression" else {}),
    )
    outcome = run(recipe, Splits(data), test_share=0)
    assert outcome.out_of_fold is not None
    fit = np.isnan(outcome.out_of_fold[:, 0])
    frame = outcome.model.members[0].prepared.inputs(data)["numbers"].numpy()
    if task == "regression":
        expected = LinearRegression().fit(frame[fit], data.y[fit]).predict(frame)  # type: ignore[index]
        np.testing.assert_allclose(outcome.model.outputs(data)[:, 0], expected, atol=0.05)
    else:
        expected = LogisticRegression(C=1e6).fit(frame[fit], data.codes[fit]).predict_proba(frame)
        np.testing.assert_allclose(outcome.model.outputs(data), expected, atol=0.01)
