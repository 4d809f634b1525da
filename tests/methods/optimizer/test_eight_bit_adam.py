"""States in 8 bits: codes as published, states and weights near those of torch's optimizer, a quarter of the memory."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from rarebird.methods.optimizer import _eight_bit_adam
from rarebird.methods.optimizer._eight_bit_adam import EightBitAdam
from rarebird.methods.optimizer._eight_bit_states import BLOCK, codes, packed, unpacked
from rarebird.methods.optimizer.adam import Adam
from rarebird.methods.optimizer.adamw import Adamw
from rarebird.training.optimizer_state import restore, saved

CPU = torch.device("cpu")


def test_codes_are_those_of_the_paper() -> None:
    """Half of the signed ones lie above a tenth of the largest, and seven decades have some."""
    for signed in (True, False):
        values = codes(signed, CPU)
        assert len(values.unique()) == 256
        assert values.max() == 1
        assert (values == 0).any()
        decades = values[(values > 0) & (values < 1)].log10().floor().int()
        assert decades.bincount().sum() if (decades >= 0).all() else len(decades.unique()) == 7
    assert torch.equal(codes(True, CPU)[:127], -codes(True, CPU)[128:255].flip(0))


@pytest.mark.parametrize("signed", [True, False])
def test_numbers_come_back_within_a_code_and_without_bias(signed: bool) -> None:
    values = torch.randn(2 * BLOCK + 77, generator=torch.Generator().manual_seed(0)) ** 3
    values = values if signed else values.abs()
    each = torch.stack([unpacked(*packed(values, signed, step), signed) for step in range(200)])
    scale = torch.cat([part.abs().max().expand(len(part)) for part in values.split(BLOCK)])
    assert ((each[0] - values).abs() <= 0.015 * scale).all()
    # Rounded to both sides, so that small changes are not lost.
    large = values.abs() > 0.01 * scale
    torch.testing.assert_close(each.mean(dim=0)[large], values[large], rtol=1e-2, atol=0)
    assert (each[:, values != 0] != 0).all() or signed


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 64, 5), nn.Flatten(), nn.Linear(1024, 10)).to(memory_format=torch.channels_last)


def course(method: Adam | Adamw, steps: int) -> tuple[nn.Module, torch.optim.Optimizer]:
    net, generator = network(), torch.Generator().manual_seed(1)
    built = method.build(net)
    for _ in range(steps):
        x = torch.randn(16, 3, 8, 8, generator=generator).contiguous(memory_format=torch.channels_last)
        y = (x.mean(dim=(1, 2, 3)) > 0).long()
        built.zero_grad()
        nn.functional.cross_entropy(net(x), y).backward()
        built.step()
    return net, built


@pytest.mark.parametrize("kind", [Adam, Adamw])
def test_states_and_weights_stay_near_those_of_32_bits(kind: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_eight_bit_adam, "CPU_CHUNK", 2 * BLOCK)  # the last chunk is a part of a block
    (exact, torch_own), (near, ours) = (course(kind(weight_decay=0.01, state_bits=bits), 60) for bits in (32, 8))
    assert isinstance(ours, EightBitAdam)
    for one, other in zip(near.parameters(), exact.parameters(), strict=True):
        state, wanted = ours.state[one], torch_own.state[other]
        is_large = one.numel() >= 4096
        assert (state["mean"].dtype == torch.uint8) == is_large
        mean = unpacked(state["mean"], state["mean_scales"], signed=True) if is_large else state["mean"]
        root = unpacked(state["root"], state["root_scales"], signed=False) if is_large else state["root"]
        for found, of_torch in ((mean, wanted["exp_avg"]), (root, wanted["exp_avg_sq"].sqrt())):
            flat = _eight_bit_adam.in_memory_order(of_torch, other)
            assert (found - flat).norm() < 0.05 * flat.norm()
        moved = (other - dict(network().named_parameters())[name_of(exact, other)]).norm()
        assert (one - other).norm() < 0.05 * moved


def name_of(net: nn.Module, parameter: Tensor) -> str:
    return next(name for name, one in net.named_parameters() if one is parameter)


def test_states_take_a_quarter_of_the_memory_and_come_back_from_a_checkpoint() -> None:
    (net, ours), (_, torch_own) = course(Adamw(state_bits=8), 3), course(Adamw(), 3)

    def size(optimizer: torch.optim.Optimizer) -> int:
        return sum(one.nbytes for state in optimizer.state.values() for one in state.values() if one.ndim)

    assert size(ours) < 0.27 * size(torch_own)
    again = Adamw(state_bits=8).build(net)
    restore(again, saved(ours))
    assert again.steps == 3
    for parameter in net.parameters():
        for name, value in ours.state[parameter].items():
            assert torch.equal(again.state[parameter][name], value)
            assert again.state[parameter][name].dtype == value.dtype
