"""SMOTE among features: rows move towards others of their own class, and only as far as those."""

from __future__ import annotations

import pytest
import torch

from rarebird.core.checks import DataError
from rarebird.data.spec import InputSpec
from rarebird.methods.augmentation.feature_smote import FeatureSmote, partners
from rarebird.slots.protocols import TrainStatistics

STATISTICS = TrainStatistics(
    InputSpec(kind="table", task="classification", n_outputs=2, n_numbers=1, bins=((0.0, 1.0),))
)


def batch(n: int = 40) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    codes = torch.randint(2, (n,), generator=generator)
    return torch.randn(n, 3, generator=generator) + 10 * codes[:, None], codes


def test_partners_are_the_nearest_of_the_same_class() -> None:
    features, codes = batch()
    chosen = partners(features, codes, 1, torch.Generator().manual_seed(1))
    assert len(chosen) == len(codes)
    for row, other in enumerate(chosen.tolist()):
        same = [i for i in range(len(codes)) if codes[i] == codes[row] and i != row]
        assert other == min(same, key=lambda i: float((features[i] - features[row]).norm()))


def test_several_neighbors_are_all_drawn() -> None:
    features, codes = batch()
    drawn = torch.stack([partners(features, codes, 3, torch.Generator().manual_seed(seed)) for seed in range(60)])
    assert all(len(drawn[:, row].unique()) == 3 for row in range(len(codes)))


def test_copies_and_lone_rows_stay() -> None:
    features = torch.tensor([[0.0, 0.0], [0.0, 0.0], [5.0, 5.0], [9.0, 1.0]])
    codes = torch.tensor([0, 0, 1, 2])
    assert torch.equal(partners(features, codes, 5, torch.Generator().manual_seed(0)), torch.arange(4))


def test_rows_stay_between_rows_of_their_class() -> None:
    features, codes = batch()
    moved, y, weight = FeatureSmote(p=1).bind(STATISTICS)(
        features, torch.eye(2)[codes], torch.ones(len(codes)), torch.Generator().manual_seed(2)
    )
    assert torch.equal(y, torch.eye(2)[codes])
    assert torch.equal(weight, torch.ones(len(codes)))
    assert (moved != features).any(dim=1).all()
    for label in (0, 1):
        mine = features[codes == label]
        assert (moved[codes == label] >= mine.amin(dim=0)).all()
        assert (moved[codes == label] <= mine.amax(dim=0)).all()


def test_numbers_are_refused() -> None:
    spec = InputSpec(kind="table", task="regression", n_outputs=1, n_numbers=1, bins=((0.0, 1.0),))
    with pytest.raises(DataError, match="the target is a number"):
        FeatureSmote().bind(TrainStatistics(spec))
