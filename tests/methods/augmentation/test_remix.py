"""Remix: mixup's rows, targets that lean to the rarer class as the paper says."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from rarebird.core.checks import DataError
from rarebird.data.spec import InputSpec
from rarebird.methods.augmentation.mixup import Mixup
from rarebird.methods.augmentation.remix import Remix, own_target_share
from rarebird.slots.protocols import TrainStatistics

COUNTS = np.array([900, 300, 10])
N = 3000
EQUAL = torch.ones(3)
Y = torch.eye(3)[torch.randint(0, 3, (N,), generator=torch.Generator().manual_seed(0))]
PIXELS = Y[:, :, None, None].expand(-1, -1, 2, 2)


def run(
    method: Remix | Mixup, class_counts: np.ndarray = COUNTS, weights: torch.Tensor = EQUAL
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    spec = InputSpec(kind="image", task="classification", n_outputs=3, channels=3, height=2, width=2)
    x, y, weight = method.bind(TrainStatistics(spec, class_counts))(
        {"pixels": PIXELS}, Y, Y @ weights, torch.Generator().manual_seed(1)
    )
    return x["pixels"], y, weight


def papers_share(lam: float, own: float, other: float, kappa: float, tau: float) -> float:
    """Equation 6 of the paper, one pair at a time."""
    if own / other >= kappa and lam < tau:
        return 0.0
    if own / other <= 1 / kappa and 1 - lam < tau:
        return 1.0
    return lam


@pytest.mark.parametrize(("kappa", "tau"), [(3.0, 0.5), (2.0, 0.3), (10.0, 1.0)])
def test_the_papers_formula(kappa: float, tau: float) -> None:
    rng = np.random.default_rng(0)
    lam, own, other = rng.uniform(size=1000), rng.choice(COUNTS, 1000), rng.choice(COUNTS, 1000)
    expected = [papers_share(*row, kappa, tau) for row in zip(lam, own, other, strict=True)]
    given = own_target_share(*(torch.from_numpy(np.asarray(part, float)) for part in (lam, own, other)), kappa, tau)
    np.testing.assert_allclose(given.numpy(), expected)


def test_rows_are_mixups_and_targets_differ_only_between_common_and_rare() -> None:
    pixels, y, weight = run(Remix(alpha=1))
    mixed, plain, _ = run(Mixup(alpha=1))
    assert torch.equal(pixels, mixed)
    changed = (y != plain).any(1)
    assert 0.1 < changed.float().mean() < 0.5
    # A target that leans belongs to one class wholly, and to the rarer one of the two in the blend.
    assert set(y[changed].unique().tolist()) == {0.0, 1.0}
    assert torch.equal(y[changed].argmax(1), (plain[changed] > 0).float().mul(torch.tensor([1.0, 2.0, 3.0])).argmax(1))
    assert torch.equal(weight, torch.ones(N))
    own = torch.tensor([1.0, 2.0, 5.0])
    _, weighted, weight = run(Remix(alpha=1), weights=own)
    torch.testing.assert_close(weight[:, None] * weighted, y * own)
    # 4 of 9 pairs hold a rare and a common row; where the rare one's share is above a half, it gains the rest, 1 / 4 on
    # average.
    torch.testing.assert_close((y - plain).sum(0)[2].item(), N * 4 / 9 / 2 / 4, atol=25, rtol=0)


@pytest.mark.parametrize(("method", "class_counts"), [(Remix(tau=0), COUNTS), (Remix(), np.array([40, 50, 60]))])
def test_without_a_lean_or_without_a_rare_class_it_is_mixup(method: Remix, class_counts: np.ndarray) -> None:
    assert all(
        torch.equal(*pair) for pair in zip(run(method, class_counts), run(Mixup(alpha=1), class_counts), strict=True)
    )


def test_a_number_as_target_is_refused_in_a_sentence() -> None:
    spec = InputSpec(kind="table", task="regression", n_outputs=1, n_numbers=2)
    with pytest.raises(DataError, match="use 'mixup'"):
        Remix().bind(TrainStatistics(spec, None))
