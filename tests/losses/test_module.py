"""Losses as plain modules: the product's own numbers, torch's as the referee, targets of both forms, and the loops of
skorch and Lightning."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from rarebird import losses
from rarebird.core.checks import DataError
from rarebird.slots import methods
from rarebird.slots.protocols import TargetStatistics

COUNTS = (90, 9, 1)
FOR_CLASSES = [
    name
    for name in losses.FACE.names
    if "classification" in methods.load(*losses.FACE.names[name]).tasks and name != "AUCLoss"  # type: ignore[attr-defined]
]


def batch(n_classes: int = 3) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(12, n_classes, generator=generator, requires_grad=True)
    return logits, torch.arange(12) % n_classes


@pytest.mark.parametrize("name", FOR_CLASSES)
def test_a_loss_gives_the_numbers_of_its_method_for_codes_and_for_shares(name: str) -> None:
    logits, y = batch()
    method: Any = methods.load(*losses.FACE.names[name])()
    soft = functional.one_hot(y, 3).float()
    expected = method.build(TargetStatistics(np.array(COUNTS, dtype=float)))(logits, soft)
    made = getattr(losses, name)
    torch.testing.assert_close(made(class_counts=COUNTS, reduction="none")(logits, y), expected)
    torch.testing.assert_close(made(class_counts=torch.tensor(COUNTS))(logits, soft), expected.mean())
    torch.testing.assert_close(made(class_counts=COUNTS, reduction="sum")(logits, y), expected.sum())
    weight = torch.rand(12, generator=torch.Generator().manual_seed(1))
    weighted = made(class_counts=COUNTS)(logits, y, weight)
    torch.testing.assert_close(weighted, (expected * weight).sum() / weight.sum())
    weighted.backward()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()
    assert logits.grad.any()


def test_torchs_own_losses_are_the_referee() -> None:
    logits, y = batch()
    torch.testing.assert_close(losses.CrossEntropyLoss()(logits, y), functional.cross_entropy(logits, y))
    torch.testing.assert_close(losses.FocalLoss(gamma=0)(logits, y), functional.cross_entropy(logits, y))
    prior = torch.tensor(COUNTS) / 100
    adjusted = functional.cross_entropy(logits + prior.log(), y)
    torch.testing.assert_close(losses.LogitAdjustedLoss(class_counts=COUNTS)(logits, y), adjusted)
    values = torch.linspace(-1, 1, 12)
    torch.testing.assert_close(losses.MeanSquaredLoss()(values, values + 1), torch.tensor(1.0))
    assert losses.DensityWeightedLoss(values=values)(values[:, None], values + 1).isfinite()


def test_a_loss_that_needs_counts_asks_for_them_and_no_other_does() -> None:
    logits, y = batch()
    asks = set()
    for name in FOR_CLASSES:
        try:
            plain = getattr(losses, name)()
        except DataError:
            asks.add(name)
        else:
            torch.testing.assert_close(plain(logits, y), getattr(losses, name)(class_counts=COUNTS)(logits, y))
    assert {"LDAMLoss", "LogitAdjustedLoss", "BalancedSoftmaxLoss", "WeightedLoss", "ClassBalancedLoss"} <= asks
    assert {"CrossEntropyLoss", "FocalLoss", "AsymmetricLoss", "DistillationLoss"}.isdisjoint(asks)
    with pytest.raises(DataError, match="give class_counts"):
        losses.FocalLoss(alpha="balanced")
    with pytest.raises(DataError, match="give values"):
        losses.DensityWeightedLoss()


def test_labels_name_the_logits() -> None:
    logits, y = batch(2)
    counts = {"common": 90, "rare": 10}
    named = losses.FocalLoss(alpha={"rare": 9.0, "common": 1.0}, class_counts=counts, reduction="none")(logits, y)
    plain = losses.FocalLoss(reduction="none")(logits, y)
    ratio = (named / plain).detach()
    torch.testing.assert_close(ratio[y == 1], ratio[y == 0] * 9)
    with pytest.raises(DataError, match="which is not in the data"):
        losses.FocalLoss(alpha={"rear": 9.0, "common": 1.0}, class_counts=counts)


def test_the_prior_factor_gives_the_natural_prior_back() -> None:
    loss = losses.LogitAdjustedLoss(class_counts=COUNTS)
    assert loss.prior_factor is not None
    shares = loss.prior_factor * np.array(COUNTS)
    np.testing.assert_allclose(shares / shares.sum(), 1 / 3)
    assert losses.FocalLoss(class_counts=COUNTS).prior_factor is None


@pytest.mark.parametrize(
    ("made", "logits", "target", "message"),
    [
        (lambda: losses.LDAMLoss(class_counts=(9, 1)), batch()[0], batch()[1], "one class count per logit"),
        (lambda: losses.FocalLoss(), batch()[0], batch()[1] + 1, "0 <= target < n_classes"),
        (lambda: losses.FocalLoss(), batch()[0], batch()[1].float(), "class codes"),
        (lambda: losses.FocalLoss(), batch()[0], batch()[1][:5], "class codes"),
        (lambda: losses.FocalLoss(), batch()[0][:, 0], batch()[1], "logits are"),
        (lambda: losses.HuberLoss(), batch()[0], torch.zeros(12), "one target per output"),
        (lambda: losses.FocalLoss(reduction="avg"), None, None, "reduction is mean"),
        (lambda: losses.AUCLoss(class_counts=(9, 1), reduction="none"), None, None, "pairs of rows"),
        (lambda: losses.FocalLoss(gamma=-1), None, None, "gamma >= 0"),
        (lambda: losses.LDAMLoss(class_counts=(9, -1)), None, None, "each at least 0"),
    ],
)
def test_what_cannot_be_used_is_refused_with_a_sentence(made: Any, logits: Any, target: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        made()(logits, target)


def test_a_loss_is_a_module_that_copies_and_shows_its_settings() -> None:
    logits, y = batch()
    loss = losses.LDAMLoss(class_counts=COUNTS, max_margin=0.3)
    assert isinstance(loss, nn.Module)
    assert "max_margin=0.3" in repr(loss)
    torch.testing.assert_close(copy.deepcopy(loss)(logits, y), loss(logits, y))
    assert not list(loss.parameters())
    assert not loss.state_dict()
    pairs = losses.AUCLoss(class_counts=(9, 1))
    two, codes = batch(2)
    torch.testing.assert_close(pairs(two, codes), pairs(two, codes, torch.full((12,), 5.0)))


def skewed() -> tuple[np.ndarray, np.ndarray]:
    """Two classes of which one is a tenth of the rows."""
    rng = np.random.default_rng(0)
    y = (np.arange(200) % 10 == 0).astype(np.int64)
    return rng.normal(2.0 * y[:, None], 1, (200, 4)).astype(np.float32), y


@pytest.mark.filterwarnings("ignore")
def test_a_skorch_net_trains_with_our_loss_behind_our_sampler() -> None:
    from imblearn.pipeline import make_pipeline
    from skorch import NeuralNetClassifier

    from rarebird.sampling import SMOTE

    X, y = skewed()
    torch.manual_seed(0)
    net = NeuralNetClassifier(
        nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2)),
        criterion=losses.LDAMLoss,
        criterion__class_counts=np.bincount(y),
        criterion__scale=1.0,
        train_split=None,
        max_epochs=25,
        lr=0.2,
        verbose=0,
    )
    model = make_pipeline(SMOTE(random_state=0), net).fit(X, y)
    recall = [(model.predict(X)[y == code] == code).mean() for code in (0, 1)]
    assert min(recall) > 0.8


@pytest.mark.filterwarnings("ignore")
def test_a_lightning_module_trains_with_our_loss_and_sampler() -> None:
    from lightning.pytorch import LightningModule, Trainer
    from torch.utils.data import DataLoader, TensorDataset

    from rarebird.sampling import RandomOverSampler

    X, y = skewed()
    rows = RandomOverSampler(random_state=0)
    rows.fit_resample(X, y)

    class Module(LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.network, self.loss = nn.Linear(4, 2), losses.FocalLoss(gamma=1.0)

        def training_step(self, batch: Any, _: int) -> torch.Tensor:
            result: torch.Tensor = self.loss(self.network(batch[0]), batch[1])
            return result

        def configure_optimizers(self) -> Any:
            return torch.optim.Adam(self.parameters(), lr=0.05)

    torch.manual_seed(0)
    module = Module()
    data = TensorDataset(torch.from_numpy(X), torch.from_numpy(y))
    order = np.random.default_rng(0).permutation(rows.sample_indices_)
    loader = DataLoader(data, batch_size=64, sampler=order.tolist())
    quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    Trainer(max_epochs=12, accelerator="cpu", enable_model_summary=False, **quiet).fit(module, loader)
    labels = module.network(torch.from_numpy(X)).argmax(dim=1).numpy()
    assert min((labels[y == code] == code).mean() for code in (0, 1)) > 0.8
