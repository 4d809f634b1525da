"""Ridge regression on labels: what it chooses, and that its own outputs are those of fits without the row."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from scipy.special import log_softmax
from sklearn.linear_model import Ridge as Reference

from rarebird.methods.head import _solve
from rarebird.methods.head.ridge import PENALTIES, Ridge
from rarebird.slots.solved_head import HeadRows, SolvedHead


def made(n: int = 60, width: int = 100, classes: int = 3, seed: int = 0) -> HeadRows:
    """Skewed classes whose means differ in a few of the features."""
    rng = np.random.default_rng(seed)
    y = np.minimum(rng.geometric(0.6, n) - 1, classes - 1)
    y[:classes] = np.arange(classes)
    x = rng.normal(size=(n, width))
    x[:, :classes] += 2.0 * np.eye(classes)[y]
    return HeadRows(torch.from_numpy(x), torch.eye(classes)[y], np.ones(n), None, "classification")


def changed(rows: HeadRows, **values: object) -> HeadRows:
    return HeadRows(**{**{name: getattr(rows, name) for name in HeadRows.__dataclass_fields__}, **values})  # type: ignore[arg-type]


def outputs(head: SolvedHead, rows: HeadRows) -> torch.Tensor:
    return rows.features.float() @ head.weight.T + head.bias


@pytest.mark.parametrize("class_weight", ["none", "square_root", "balanced"])
@pytest.mark.parametrize("width", [100, 5])
def test_own_outputs_are_those_of_a_reference_without_the_group(width: int, class_weight: str) -> None:
    groups = np.arange(60) // 2
    rows = changed(made(width=width), groups=groups, counts=np.random.default_rng(1).integers(1, 4, 60))
    head = Ridge(penalty=0.3, class_weight=class_weight).solve(rows)  # type: ignore[arg-type]
    power = {"none": 0.0, "square_root": 0.5, "balanced": 1.0}[class_weight]
    x, y = rows.features.numpy(), 2 * rows.targets.numpy().astype(float) - 1
    of_class = rows.counts @ rows.targets.numpy()
    weight = rows.counts * (rows.targets.numpy() @ of_class**-power)
    weight *= rows.counts.sum() / weight.sum()
    centered = x - np.average(x, axis=0, weights=weight)
    alpha = 0.3 * np.average((centered**2).sum(axis=1), weights=weight)
    for group in (0, 11, 29):
        out = groups == group
        model = Reference(alpha=alpha, solver="svd").fit(x[~out], y[~out], sample_weight=weight[~out])
        np.testing.assert_allclose(head.own_outputs[out], model.predict(x[out]), atol=1e-6)
    whole = Reference(alpha=alpha, solver="svd").fit(x, y, sample_weight=weight)
    np.testing.assert_allclose(outputs(head, rows), whole.predict(x), atol=1e-5)


@pytest.mark.parametrize("class_weight", ["none", "chosen"])
def test_weight_k_is_the_row_k_times(class_weight: str) -> None:
    rows = made()
    counts = np.random.default_rng(2).integers(1, 4, 60)
    place = np.repeat(np.arange(60), counts)
    weighted = Ridge(class_weight=class_weight).solve(changed(rows, counts=counts))  # type: ignore[arg-type]
    copied = Ridge(class_weight=class_weight).solve(  # type: ignore[arg-type]
        HeadRows(rows.features[place], rows.targets[place], np.ones(len(place)), place, rows.task)
    )
    torch.testing.assert_close(weighted.weight, copied.weight, rtol=0, atol=1e-6)
    np.testing.assert_allclose(weighted.own_outputs[place], copied.own_outputs, atol=1e-6)


def test_the_penalty_and_the_weights_have_the_least_leave_one_out_loss() -> None:
    rows = made()
    judge = _solve._log_loss(rows.targets.double(), torch.ones(60, dtype=torch.float64))
    loss = {
        (penalty, weights): judge(
            torch.from_numpy(Ridge(penalty=penalty, class_weight=weights).solve(rows).own_outputs)
        )
        for penalty in PENALTIES
        for weights in ("none", "square_root", "balanced")
    }
    best = min(loss, key=lambda tried: loss[tried])
    assert PENALTIES[0] < best[0] < PENALTIES[-1]
    found = Ridge(class_weight="chosen").solve(rows)
    torch.testing.assert_close(found.weight, Ridge(penalty=best[0], class_weight=best[1]).solve(rows).weight)


def test_the_log_loss_of_scores_has_its_gradient_and_ignores_their_scale() -> None:
    rng = np.random.default_rng(0)
    scores, y, weight = rng.normal(size=(200, 3)), rng.dirichlet(np.ones(3), 200), rng.uniform(0.5, 2, 200)
    at = np.array([1.3, 0.2, -0.1, 0.4])
    of_targets = np.array([weight @ (y * scores).sum(axis=1), *(weight @ y)])
    value, gradient = _solve._penalized_log_loss(at, scores, of_targets, weight)
    direct = -weight @ (y * log_softmax(at[0] * scores + at[1:], axis=1)).sum(axis=1)
    prior = _solve.SCALE_ROWS * (at[0] - np.log(at[0])) + _solve.BIAS_ROWS * at[1:] @ at[1:] / 2
    assert value == pytest.approx(direct + prior)
    for place, step in enumerate(np.eye(4) * 1e-6):
        ahead = _solve._penalized_log_loss(at + step, scores, of_targets, weight)[0]
        assert (ahead - value) / 1e-6 == pytest.approx(gradient[place], rel=1e-3, abs=1e-4)
    judge = _solve._log_loss(torch.from_numpy(y), torch.from_numpy(weight))
    told = torch.from_numpy(y) * 5 + 0.1 * torch.from_numpy(scores)
    assert judge(told) == pytest.approx(judge(3 * told + 1), rel=0.02)
    assert judge(told) < judge(torch.from_numpy(scores))


def test_a_judge_goes_on_from_its_last_fit_and_says_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """With 200 classes each penalty was judged from the start: a minute for a table of 20,000 rows."""
    rows, evaluations = made(), []
    function = _solve._penalized_log_loss

    def counted(*args: Any) -> tuple[float, np.ndarray]:
        evaluations.append(args)
        return function(*args)

    monkeypatch.setattr(_solve, "_penalized_log_loss", counted)
    first, second = (torch.from_numpy(Ridge(penalty=penalty).solve(rows).own_outputs) for penalty in (0.1, 0.3))

    def judge() -> Callable[[torch.Tensor], float]:
        return _solve._log_loss(rows.targets.double(), torch.ones(60, dtype=torch.float64))

    evaluations.clear()
    anew = judge()(second)
    from_the_start = len(evaluations)
    warm = judge()
    warm(first)
    evaluations.clear()
    assert warm(second) == pytest.approx(anew, rel=1e-7)
    assert len(evaluations) < from_the_start


def test_values_are_predicted_by_the_penalty_with_the_least_squared_error() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 30))
    y = torch.from_numpy(x[:, :3].sum(axis=1, keepdims=True) + rng.normal(0, 0.1, (200, 1)))
    rows = HeadRows(torch.from_numpy(x).float(), y, np.ones(200), None, "regression")
    found = Ridge(class_weight="chosen").solve(rows)
    assert float(((found.own_outputs - y.numpy()) ** 2).mean()) < 0.02
    np.testing.assert_allclose(found.weight[0, :3], 1, atol=0.05)


def test_a_class_without_rows_and_a_single_row_are_solved() -> None:
    rows = made(n=10)
    absent = changed(rows, targets=torch.cat([rows.targets, torch.zeros(10, 1)], dim=1))
    found = Ridge(class_weight="chosen").solve(absent)
    assert found.weight.shape == (4, 100)
    assert np.isfinite(found.own_outputs).all()
    one = HeadRows(rows.features[:1], rows.targets[:1], np.ones(1), None, "classification")
    assert np.isfinite(Ridge().solve(one).weight.numpy()).all()
