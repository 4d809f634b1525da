"""Recurrent network for series: LSTM or GRU, one or two directions, attention or mean pooling.

Hochreiter and Schmidhuber, "Long Short-Term Memory", Neural Computation 1997 (forget gates that start open: Gers,
Schmidhuber and Cummins, 2000); Cho et al., "Learning Phrase Representations using RNN Encoder-Decoder", EMNLP 2014
(GRU); two directions: Schuster and Paliwal, 1997. The head sees a learned weighted mean over a series' own steps (Ilse,
Tomczak and Welling, ICML 2018).

*Helps when* series have unequal lengths or many channels, or the order of events matters more than shapes.

*Does not help when* shapes matter, which convolutions see directly, or series are long, as steps are computed one after
another.

Cost: about ``8 * depth * directions * width ** 2`` multiplications per step of a series, in sequence. A strided
convolution in front shortens a series to at most `most_steps` steps. Defaults: the cell with fewer weights, one layer,
both directions, a state of 64; not tuned to a data set.

NOTE[DIFF]: dropout acts on the states of every layer, and not within the recurrence.
"""

# Shape legend: B batch, C channels, T steps, D width.

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal, Self

import torch
from pydantic import Field
from torch import Tensor, nn

from rarebird.methods.network._channels import ChannelGroup, Place
from rarebird.methods.network._layers import HeadedNetwork, Pooling, SeriesTokens, mask_of, pooling_of
from rarebird.slots.methods import Method
from rarebird.slots.ranges import Choice, Float, Int

if TYPE_CHECKING:
    from rarebird.data.spec import InputSpec
    from rarebird.slots.protocols import Inputs

KINDS = ("series",)


class Rnn(Method):
    """Settings of a recurrent network.

    Attributes:
        cell: ``lstm`` or ``gru``.
        depth: Number of recurrent layers.
        width: Size of the state of one direction.
        directions: 2 reads the series from both ends.
        dropout: Rate for the states of every layer.
        most_steps: Longer series are shortened to this by a strided convolution.
        pooling: The learned weighted mean of the states (``attention``), or their plain ``mean``.
    """

    cell: Annotated[Literal["lstm", "gru"], Choice("lstm", "gru")] = "gru"
    depth: Annotated[int, Int(1, 3)] = Field(default=1, ge=1, le=8)
    width: Annotated[int, Int(32, 128, log=True)] = Field(default=64, ge=2, le=1024)
    directions: Annotated[Literal[1, 2], Choice(1, 2)] = 2
    dropout: Annotated[float, Float(0, 0.6)] = Field(default=0.1, ge=0, lt=1)
    most_steps: Annotated[int, Int(32, 256, log=True)] = Field(default=96, ge=1, le=4096)
    pooling: Annotated[Pooling, Choice("mean", "attention")] = "attention"

    @classmethod
    def examples(cls) -> list[Self]:
        return [
            cls(),
            cls(cell="lstm", depth=2, width=16, directions=1),
            cls(cell="lstm", width=8, most_steps=4, pooling="mean"),
        ]

    def build(self, spec: InputSpec) -> nn.Module:
        """The network for series of `spec`'s channels; it takes any length from 1 step."""
        return RecurrentNetwork(self, spec)


class RecurrentNetwork(HeadedNetwork):
    """Series tokens, recurrent layers, pooling, head."""

    def __init__(self, settings: Rnn, spec: InputSpec) -> None:
        super().__init__()
        width = settings.width * settings.directions
        self.tokens = SeriesTokens(spec.channels, settings.width, spec.length, settings.most_steps)
        self.layers = nn.ModuleList(
            RecurrentLayer(settings.cell, width if layer else settings.width, settings.width, settings.directions)
            for layer in range(settings.depth)
        )
        self.pool = pooling_of(settings.pooling, width)
        self.dropout = nn.Dropout(settings.dropout)
        self.head = nn.Linear(width, spec.n_outputs)

    def features(self, x: Inputs) -> Tensor:
        tokens, lengths = self.tokens(x["values"], x["lengths"])
        for layer in self.layers:
            tokens = self.dropout(layer(tokens, lengths))
        pooled: Tensor = self.pool(tokens, mask_of(lengths, tokens.shape[1]))
        return pooled

    def channel_groups(self) -> list[ChannelGroup]:
        """The state of each layer; both directions keep the same units, so that one group holds both."""
        groups = []
        for place, layer in enumerate(self.layers):
            assert isinstance(layer, RecurrentLayer)
            directions, places = len(layer.directions), []
            for number, direction in enumerate(layer.directions):
                assert isinstance(direction, nn.LSTM | nn.GRU)
                here, gates = f"layers.{place}.directions.{number}", 4 if isinstance(direction, nn.LSTM) else 3
                places += [Place(f"{here}.{name}_l0", 0, gates) for name in ("weight_ih", "bias_ih", "bias_hh")]
                places += [Place(f"{here}.weight_hh_l0", 0, gates), Place(f"{here}.weight_hh_l0", 1)]
            if place + 1 < len(self.layers):
                following = self.layers[place + 1].directions
                readers = [f"layers.{place + 1}.directions.{number}.weight_ih_l0" for number in range(len(following))]  # type: ignore[arg-type]
            else:
                readers = ["head.weight", "pool.score.weight"] if hasattr(self.pool, "score") else ["head.weight"]
            places += [Place(name, 1, directions) for name in readers]
            groups.append(ChannelGroup(f"state {place + 1}", layer.directions[0].hidden_size, tuple(places)))  # type: ignore[arg-type]
        return groups


class RecurrentLayer(nn.Module):
    """``(B, T, inner) -> (B, T, width * directions)``; the second direction starts at each series' own end.

    Each direction runs on padded series, which is about twice as fast on CPUs as torch's packed ones: steps after a
    series' end do not change the steps before it.
    """

    def __init__(self, cell: str, inner: int, width: int, directions: int) -> None:
        super().__init__()
        kind = nn.LSTM if cell == "lstm" else nn.GRU
        self.directions = nn.ModuleList(kind(inner, width, batch_first=True) for _ in range(directions))
        for direction in self.directions:
            assert isinstance(direction, nn.LSTM | nn.GRU)
            _initialize(direction)

    def forward(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        states: list[Tensor] = [self.directions[0](tokens)[0]]
        if len(self.directions) == 2:
            states.append(own_reversed(self.directions[1](own_reversed(tokens, lengths))[0], lengths))
        return torch.cat(states, dim=2)


def own_reversed(tokens: Tensor, lengths: Tensor) -> Tensor:
    """Each series' own steps from the last to the first, its padding where it was; ``(B, T, D) -> (B, T, D)``."""
    step = torch.arange(tokens.shape[1], device=tokens.device)
    source = torch.where(step < lengths[:, None], lengths[:, None] - 1 - step, step)
    return tokens.gather(1, source[:, :, None].expand_as(tokens))


def _initialize(recurrent: nn.LSTM | nn.GRU) -> None:
    """Orthogonal recurrent weights, and LSTM forget gates that start open."""
    width = recurrent.hidden_size
    for name, parameter in recurrent.named_parameters():
        if name.startswith("weight_hh"):
            for gate in parameter.data.view(-1, width, width):
                nn.init.orthogonal_(gate)
        elif name.startswith("bias"):
            nn.init.zeros_(parameter)
            if isinstance(recurrent, nn.LSTM) and name.startswith("bias_hh"):
                nn.init.ones_(parameter.data[width : 2 * width])
