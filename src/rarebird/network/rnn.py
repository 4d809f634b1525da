"""Recurrent network for series: LSTM or GRU, one or two directions, attention pooling.

Hochreiter and Schmidhuber, "Long Short-Term Memory", Neural Computation 1997 (forget gates that start open: Gers, Schmidhuber and
Cummins, 2000); Cho et al., "Learning Phrase Representations using RNN Encoder-Decoder", EMNLP 2014 (GRU); two directions: Schuster and
Paliwal, 1997. A learned weighted mean over a series' own steps (Ilse, Tomczak and Welling, ICML 2018) is what the head sees.

*Helps when* series are of unequal length, have many channels, or what matters is order rather than shape.

*Does not help when* shapes matter that convolutions see at once, or series are long: steps are taken one after another.

Cost: about ``8 * depth * directions * width ** 2`` multiplications per step of a series, in sequence. A strided convolution in front
keeps a series at `most_steps` steps at most. Defaults by rule: the cell with fewer weights, one layer, both directions, a state of 64;
not tuned to a data set.

NOTE[DIFF]: dropout acts between layers and before the head.
"""

# Shape legend: B batch, C channels, T steps, D width.

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import Field
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from rarebird.methods import Method
from rarebird.network.layers import AttentionPooling, HeadedNetwork, SeriesTokens, mask_of
from rarebird.ranges import Choice, Float, Int

if TYPE_CHECKING:
    from rarebird.data.spec import InputSpec
    from rarebird.protocols import Inputs

KINDS = ("series",)


class Rnn(Method):
    """Settings of a recurrent network.

    Attributes:
        cell: ``lstm`` or ``gru``.
        depth: Recurrent layers, one on the other.
        width: State of one direction.
        directions: 2 reads the series from both ends.
        dropout: Between layers and before the head.
        most_steps: Longer series are shortened to this by a strided convolution.
    """

    cell: Annotated[Literal["lstm", "gru"], Choice("lstm", "gru")] = "gru"
    depth: Annotated[int, Int(1, 3)] = Field(default=1, ge=1, le=8)
    width: Annotated[int, Int(32, 128, log=True)] = Field(default=64, ge=2, le=1024)
    directions: Annotated[Literal[1, 2], Choice(1, 2)] = 2
    dropout: Annotated[float, Float(0, 0.6)] = Field(default=0.1, ge=0, lt=1)
    most_steps: Annotated[int, Int(32, 256, log=True)] = Field(default=96, ge=1, le=4096)

    @classmethod
    def examples(cls) -> list[Self]:
        return [cls(), cls(cell="lstm", depth=2, width=16, directions=1), cls(cell="lstm", width=8, most_steps=4)]

    def build(self, spec: InputSpec) -> nn.Module:
        """The network for series of `spec`'s channels; it takes any length from 1 step."""
        return RecurrentNetwork(self, spec)


class RecurrentNetwork(HeadedNetwork):
    """Series tokens, recurrent layers, attention pooling, head."""

    def __init__(self, settings: Rnn, spec: InputSpec) -> None:
        super().__init__()
        width = settings.width * settings.directions
        cell = nn.LSTM if settings.cell == "lstm" else nn.GRU
        self.tokens = SeriesTokens(spec.channels, settings.width, spec.length, settings.most_steps)
        self.recurrent = cell(
            settings.width,
            settings.width,
            settings.depth,
            batch_first=True,
            dropout=settings.dropout if settings.depth > 1 else 0.0,
            bidirectional=settings.directions == 2,
        )
        self.pool = AttentionPooling(width)
        self.dropout = nn.Dropout(settings.dropout)
        self.head = nn.Linear(width, spec.n_outputs)
        _initialize(self.recurrent)

    def features(self, x: Inputs) -> Tensor:
        tokens, lengths = self.tokens(x["values"], x["lengths"])
        # Packed, the direction from the end starts at each series' own end. Torch wants the lengths on the CPU.
        packed = pack_padded_sequence(tokens, lengths.cpu(), batch_first=True, enforce_sorted=False)
        states, _ = pad_packed_sequence(self.recurrent(packed)[0], batch_first=True)
        pooled: Tensor = self.dropout(self.pool(states, mask_of(lengths, states.shape[1])))
        return pooled


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
