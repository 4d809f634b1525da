"""The recurrent network: reversal, and torch's own packed and bidirectional layers as referee."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from rarebird.data.spec import InputSpec
from rarebird.methods.network.rnn import RecurrentLayer, Rnn, own_reversed

LENGTHS = torch.tensor([9, 1, 4, 7])
SPEC = InputSpec(kind="series", task="classification", n_outputs=3, channels=2, length=9)


def test_reversal_is_its_own_inverse_and_leaves_padding() -> None:
    tokens = torch.randn(4, 9, 3)
    turned = own_reversed(tokens, LENGTHS)
    assert torch.equal(own_reversed(turned, LENGTHS), tokens)
    for row, length in enumerate(LENGTHS.tolist()):
        assert torch.equal(turned[row, :length], tokens[row, :length].flip(0))
        assert torch.equal(turned[row, length:], tokens[row, length:])


@pytest.mark.parametrize(("cell", "kind"), [("lstm", nn.LSTM), ("gru", nn.GRU)])
def test_two_directions_are_torchs_packed_ones(cell: str, kind: type[nn.LSTM | nn.GRU]) -> None:
    layer = RecurrentLayer(cell, 3, 5, 2)
    referee = kind(3, 5, batch_first=True, bidirectional=True)
    forward, backward = (direction.state_dict() for direction in layer.directions)
    referee.load_state_dict(forward | {f"{name}_reverse": value for name, value in backward.items()})
    tokens = torch.randn(4, 9, 3)
    packed = referee(pack_padded_sequence(tokens, LENGTHS, batch_first=True, enforce_sorted=False))[0]
    expected, _ = pad_packed_sequence(packed, batch_first=True)
    own = (torch.arange(9) < LENGTHS[:, None])[:, :, None]
    torch.testing.assert_close(layer(tokens, LENGTHS) * own, expected * own)


def test_recurrent_weights_are_orthogonal_and_forget_gates_open() -> None:
    lstm = RecurrentLayer("lstm", 3, 5, 1).directions[0]
    for gate in lstm.weight_hh_l0.view(4, 5, 5):
        torch.testing.assert_close(gate @ gate.T, torch.eye(5), atol=1e-5, rtol=0)
    bias = (lstm.bias_ih_l0 + lstm.bias_hh_l0).view(4, 5)
    assert torch.equal(bias[1], torch.ones(5)), "torch's gates are in the order input, forget, cell, output"
    assert not bias[[0, 2, 3]].any()


def test_long_series_are_shortened() -> None:
    network = Rnn(width=8, most_steps=32).build(SPEC.model_copy(update={"length": 1000}))
    tokens, lengths = network.tokens(torch.randn(2, 2, 1000), torch.tensor([1000, 1]))
    assert tokens.shape == (2, 32, 8)
    assert lengths.tolist() == [32, 1]


def test_two_directions_see_the_end_and_one_the_start_first() -> None:
    values, lengths = torch.randn(1, 2, 9, requires_grad=True), torch.tensor([9])
    for directions, blind in ((1, True), (2, False)):
        network = Rnn(width=4, directions=directions, dropout=0.0).build(SPEC)
        tokens, _ = network.tokens(values, lengths)
        (slope,) = torch.autograd.grad(network.layers[0](tokens, lengths)[0, 0].sum(), values)
        # A token looks one step ahead; the first state of one direction sees no further.
        assert (not slope[0, :, 2:].any()) == blind
