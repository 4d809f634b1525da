"""Augmentations as callables: every kind of rows, targets of both forms, draws that repeat."""

from __future__ import annotations

import pickle
from typing import Any

import pytest
import torch

from rarebird import augment
from rarebird.augment import Compose, FeatureSMOTE, HorizontalFlip, Jitter, Mixup, Remix, Rotate, TimeFlip
from rarebird.core.checks import DataError
from rarebird.slots import methods

ROWS = {
    "image": torch.randint(0, 256, (6, 3, 16, 12), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)),
    "series": torch.randn(6, 2, 20, generator=torch.Generator().manual_seed(0)),
    "table": torch.randn(6, 4, generator=torch.Generator().manual_seed(0)),
}
Y = torch.tensor([0, 1, 2, 0, 1, 2])
CASES = [
    (name, kind)
    for name, (slot, method) in augment.FACE.names.items()
    for kind in methods.kinds(slot, method)
    if name != "FeatureSMOTE"
]


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_an_augmentation_changes_rows_of_its_kind_and_keeps_their_shape(name: str, kind: str) -> None:
    one, x = Compose([getattr(augment, name)()], class_counts=(90, 9, 1)), ROWS[kind]
    before = x.clone()
    rows, y, weight = one(x, Y, torch.ones(6), generator=seeded())
    torch.testing.assert_close(x, before)
    assert rows.shape == x.shape
    assert rows.dtype == torch.float32
    assert weight.shape == (6,)
    if kind == "image":
        assert 0 <= rows.min() <= rows.max() <= 1
    targets = torch.nn.functional.one_hot(y, 3) if y.ndim == 1 else y
    torch.testing.assert_close(targets.float().sum(dim=1), torch.ones(6))
    torch.testing.assert_close(one(x, Y, generator=seeded())[0], rows)
    plain = x / 255 if kind == "image" else x
    drawn = [one(x, Y, generator=seeded(seed))[0] for seed in range(8)]
    assert any(not torch.equal(each, plain) for each in drawn)


@pytest.mark.parametrize("name", [name for name in augment.FACE.names if name != "FeatureSMOTE"])
def test_rows_of_another_kind_are_refused(name: str) -> None:
    kinds = methods.kinds(*augment.FACE.names[name])
    for kind in set(ROWS) - set(kinds):
        with pytest.raises(DataError, match=rf"{name} is for .*, but x has the shape \(batch, "):
            getattr(augment, name)()(ROWS[kind], Y)


def test_flips_and_turns_are_those_of_torch() -> None:
    x = ROWS["image"] / 255
    torch.testing.assert_close(HorizontalFlip(p=1)(x), x.flip(-1))
    torch.testing.assert_close(TimeFlip(p=1)(ROWS["series"]), ROWS["series"].flip(-1))
    torch.testing.assert_close(Compose([HorizontalFlip(p=1), HorizontalFlip(p=1)])(x), x)
    torch.testing.assert_close(Rotate(degrees=0)(x), x)


def test_what_comes_back_is_what_was_given() -> None:
    x = ROWS["image"]
    rotate = Rotate()
    assert isinstance(rotate(x), torch.Tensor)
    rows, y = rotate(x, Y)
    assert y is Y
    assert len(rotate(x, Y, torch.ones(6))) == 3
    assert rows.shape == x.shape
    both = Compose([rotate, Mixup(alpha=1)], n_classes=3)
    _, shares = both(x, Y)
    assert shares.shape == (6, 3)
    soft = torch.nn.functional.one_hot(Y, 3).float()
    torch.testing.assert_close(both(x, soft, generator=seeded())[1], both(x, Y, generator=seeded())[1])


def test_draws_follow_torchs_seed_and_a_copy_draws_the_same() -> None:
    one = Compose([Rotate(degrees=40), HorizontalFlip(), Mixup()], n_classes=3)
    torch.manual_seed(3)
    first = one(ROWS["image"], Y)
    torch.manual_seed(3)
    second: Any = pickle.loads(pickle.dumps(one))(ROWS["image"], Y)
    torch.testing.assert_close(first, second)
    assert not torch.equal(first[0], one(ROWS["image"], Y)[0])
    assert repr(one).startswith("Compose([Rotate(degrees=40.0, p=1.0, fill='edge'), HorizontalFlip(p=0.5), Mixup(")


def test_padded_steps_of_series_stay_as_they_are() -> None:
    lengths = torch.tensor([20, 10, 5, 20, 20, 8])
    inside = torch.arange(20) < lengths[:, None, None]
    x = ROWS["series"] * inside
    rows = Jitter(strength=1)(x, lengths=lengths)
    assert not (rows * ~inside).any()
    assert (rows != x).any()


def test_gradients_flow_through_augmented_features() -> None:
    features = torch.randn(8, 5, requires_grad=True)
    moved, _ = FeatureSMOTE(p=1)(features, torch.arange(8) % 2)
    moved.square().sum().backward()
    assert features.grad is not None
    assert features.grad.any()
    assert not torch.equal(moved, features)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (lambda: Mixup()(ROWS["image"]), "give y"),
        (lambda: Mixup()(ROWS["image"], Y), "give Compose n_classes"),
        (lambda: Compose([Rotate(), FeatureSMOTE()]), "all of inputs or all of features"),
        (lambda: Compose(["rotate"]), "augmentations are of rarebird.augment"),  # type: ignore[list-item]
        (lambda: Rotate(degrees=-3), "degrees >= 0"),
        (lambda: Rotate()(ROWS["image"], Y[:3]), "one target per row"),
        (lambda: Rotate()(torch.zeros(3)), "2 to 4 axes"),
        (lambda: FeatureSMOTE()(ROWS["image"], Y), "features are"),
    ],
)
def test_what_cannot_be_asked_is_refused_with_a_sentence(asked: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        asked()


def test_remix_knows_which_class_is_rare() -> None:
    x, y = torch.randn(400, 1, 8), (torch.arange(400) % 2)
    rare = [
        Compose([Remix()], class_counts=counts)(x, y, generator=seeded())[1][:, 1].mean().item()
        for counts in ((90, 9), (9, 9), (9, 90))
    ]
    assert rare[0] > rare[1] + 0.02 > rare[2] + 0.04
