"""Cell swap: partners of the same class, cells with their missing marks, marginals of each class kept, regression
refused."""

from __future__ import annotations

import pytest
import torch

from rarebird.core.checks import DataError
from rarebird.data.spec import InputSpec
from rarebird.methods.augmentation.cell_swap import CellSwap, partners
from rarebird.slots.protocols import TrainStatistics

N = 3000


@pytest.fixture
def codes(generator: torch.Generator) -> torch.Tensor:
    return torch.multinomial(torch.tensor([0.7, 0.25, 0.05]), N, replacement=True, generator=generator)


@pytest.fixture
def x(codes: torch.Tensor, generator: torch.Generator) -> dict[str, torch.Tensor]:
    """Cells that name their class and row, so that it is seen where each comes from."""
    missing = (torch.rand(N, 2, generator=generator) < 0.3).float()
    numbers = (100_000.0 * codes + 1 + torch.arange(N))[:, None].expand(N, 2) * (1 - missing)
    return {"numbers": numbers, "missing": missing, "categories": torch.stack([codes, torch.arange(N)], dim=1)}


def test_partners_are_another_row_of_the_same_class(codes, generator) -> None:
    partner = partners(codes, generator)
    assert torch.equal(codes[partner], codes)
    assert (partner != torch.arange(N)).all()
    assert torch.equal(partner.sort().values, torch.arange(N))


def test_a_class_with_one_row_keeps_it(generator) -> None:
    assert partners(torch.tensor([2, 0, 0, 1]), generator).tolist() == [0, 2, 1, 3]
    assert partners(torch.tensor([5]), generator).tolist() == [0]


def test_every_pair_is_equally_likely(generator) -> None:
    seen = torch.zeros(4, 4)
    for _ in range(3000):
        seen[torch.arange(4), partners(torch.zeros(4, dtype=torch.long), generator)] += 1
    torch.testing.assert_close(seen / 3000, (1 - torch.eye(4)) / 3, atol=0.03, rtol=0)


def test_cells_come_from_the_class_with_their_missing_marks(augment, codes, x) -> None:
    y = 0.8 * torch.eye(3)[codes] + 0.2 / 3
    after, same_y, _ = augment(CellSwap(rate=0.4), x, y)
    assert torch.equal(same_y, y)
    assert ((after["numbers"] == 0) == (after["missing"] == 1)).all()
    there = after["missing"] == 0
    assert torch.equal((after["numbers"] // 100_000)[there], codes[:, None].expand(N, 2)[there].float())
    assert torch.equal(after["categories"][:, 0], codes)
    moved = after["categories"][:, 1] != torch.arange(N)
    assert abs(moved.float().mean() - 0.4) < 0.03
    # Each cell by itself: a number moves whether or not the row's category did; among those that are there before and
    # after, of which a moved one must come from a partner's that is there (.7).
    own = after["numbers"] == x["numbers"]
    both = there & (x["missing"] == 0)
    for part in (moved, ~moved):
        torch.testing.assert_close(
            own[part][both[part]].float().mean().item(), 0.6 / (0.6 + 0.4 * 0.7), atol=0.03, rtol=0
        )


def test_all_cells_at_rate_one_are_a_permutation_within_the_class(augment, codes, x) -> None:
    after = augment(CellSwap(rate=1), x, torch.eye(3)[codes])[0]
    for name in x:
        for code in range(3):
            before, swapped = x[name][codes == code], after[name][codes == code]
            assert torch.equal(before.sort(dim=0).values, swapped.sort(dim=0).values)
    assert (after["categories"][:, 1] != torch.arange(N)).all()


def test_tables_without_numbers_or_without_categories(augment) -> None:
    y = torch.eye(2)[torch.arange(40) % 2]
    numbers = {
        "numbers": torch.randn(40, 3),
        "missing": torch.zeros(40, 3),
        "categories": torch.zeros(40, 0, dtype=torch.long),
    }
    categories = {
        "numbers": torch.zeros(40, 0),
        "missing": torch.zeros(40, 0),
        "categories": torch.arange(80).reshape(40, 2),
    }
    for given, entry in ((numbers, "numbers"), (categories, "categories")):
        after = augment(CellSwap(rate=0.5), given, y)[0]
        assert all(after[name].shape == given[name].shape for name in given)
        assert not torch.equal(after[entry], given[entry])


def test_regression_is_refused() -> None:
    spec = InputSpec(kind="table", task="regression", n_outputs=1, n_numbers=2)
    with pytest.raises(DataError, match="cell_swap swaps within classes, but regression has no classes"):
        CellSwap().bind(TrainStatistics(spec))
