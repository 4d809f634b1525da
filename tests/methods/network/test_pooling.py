"""Attention pooling is an option of all networks for series: it starts as the mean, and learns to look at one step."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from rarebird.data.spec import InputSpec
from rarebird.methods.network._layers import MeanPooling, mask_of, pool_mean, pooling_of
from rarebird.slots import methods

SPEC = InputSpec(kind="series", task="classification", n_outputs=2, channels=1, length=24)
SMALL = {
    "rnn": {"width": 8},
    "transformer": {"heads": 1, "depth": 1, "dropout": 0.0},
    "inception_time": {"depth": 1, "width": 4},
}


def curves(n: int = 5) -> dict[str, torch.Tensor]:
    lengths = torch.tensor([24, 1, 2, 17, 9])[:n]
    return {"values": torch.randn(n, 1, 24, generator=torch.Generator().manual_seed(0)), "lengths": lengths}


@pytest.mark.parametrize("name", SMALL)
def test_attention_starts_as_the_mean(name: str) -> None:
    built = [
        methods.build("network", {"name": name, "pooling": pooling, **SMALL[name]}) for pooling in ("mean", "attention")
    ]
    plain, attentive = (method.build(SPEC).eval() for method in built)  # type: ignore[attr-defined]
    attentive.load_state_dict(plain.state_dict(), strict=False)
    torch.testing.assert_close(attentive(curves()), plain(curves()), rtol=1e-4, atol=1e-5)


def test_mean_pooling_is_the_mean_over_own_steps() -> None:
    tokens, lengths = torch.randn(3, 6, 4), torch.tensor([6, 1, 3])
    mask = mask_of(lengths, 6)
    expected = torch.stack([row[:own].mean(0) for row, own in zip(tokens, lengths.tolist(), strict=True)])
    torch.testing.assert_close(MeanPooling()(tokens, mask), expected)
    torch.testing.assert_close(pooling_of("attention", 4)(tokens, mask), pool_mean(tokens.transpose(1, 2), mask))
    torch.testing.assert_close(MeanPooling()(tokens), tokens.mean(1))


def test_attention_finds_the_one_step_that_counts() -> None:
    torch.manual_seed(0)
    source = torch.Generator().manual_seed(0)
    pool, head = pooling_of("attention", 3), torch.nn.Linear(3, 2)
    y = torch.arange(64) % 2
    tokens = 0.1 * torch.randn(64, 50, 3, generator=source)
    # At one random step, marked by the first number, the second tells the class.
    place = torch.randint(0, 50, (64,), generator=source)
    tokens[torch.arange(64), place, 0] = 4.0
    tokens[torch.arange(64), place, 1] = 2.0 * y - 1
    optimizer = torch.optim.Adam([*pool.parameters(), *head.parameters()], lr=0.1)
    for _ in range(60):
        optimizer.zero_grad()
        functional.cross_entropy(head(pool(tokens)), y).backward()
        optimizer.step()
    share = (tokens @ pool.score.weight[0]).softmax(dim=1)[torch.arange(64), place]
    assert share.min() > 0.5
    assert functional.cross_entropy(head(pool(tokens)), y) < 0.05
