"""A whole model as one torch module, from raw rows to probabilities and labels: what an exported graph is made of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from rarebird.model.chain import LEAST, Chain
from rarebird.model.model import Member, Model
from rarebird.model.onnx.preparation import preparation_of
from rarebird.model.onnx.set_table import has_members
from rarebird.slots.decisions import DecisionOnTensors
from rarebird.slots.protocols import Inputs
from rarebird.slots.tree_ensembles import TreeModule


class ModelGraph(nn.Module):
    """``forward(*inputs)``, in the order of `names` -> ``(probabilities, label)``, ``(probabilities,)`` where the
    decision is not known in torch operations, or ``(value,)`` for regression; with ``members`` ``(batch, members,
    n_classes)`` (of regression ``(batch, members)``) behind them, where prediction sets or intervals are made of what
    each member predicts.

    Calibrations and decision are computed in float64, as the model computes them.

    Args:
        model: On the CPU.
        columns: From `preparation.raw_columns`, for tables.
        names: Of the graph's inputs.
        nhwc: Whether pictures come with their channels last.
    """

    def __init__(self, model: Model, columns: Sequence[dict[str, Any]], names: Sequence[str], nhwc: bool) -> None:
        super().__init__()
        total = sum(member.weight for member in model.members)
        self.names = tuple(names)
        self.members = nn.ModuleList(
            MemberGraph(member, preparation_of(member.prepared, columns, nhwc)) for member in model.members
        )
        self.shares = [member.weight / total for member in model.members]
        held = model.held_out
        self.gives_members = held is not None and has_members(held)
        self.chain: Chain = model.calibrations
        fitted = None if model.decision is None else model.decision[1]
        self.decision = fitted if isinstance(fitted, DecisionOnTensors) else None
        self.classifies = bool(model.classes)

    @property
    def outputs(self) -> list[str]:
        """Names of the outputs."""
        members = ["members"] if self.gives_members else []
        if not self.classifies:
            return ["value", *members]
        decided: list[str] = [] if self.decision is None else ["label"]
        return ["probabilities", *decided, *members]

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        x = dict(zip(self.names, inputs, strict=True))
        return self.of_members([member(x) for member in self.members])

    def of_members(self, each: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """The outputs, from what each member predicts."""
        mean = torch.stack([share * one for share, one in zip(self.shares, each, strict=True)]).sum(dim=0)
        if not self.classifies:
            return (mean[:, 0], *((torch.cat(list(each), dim=1),) if self.gives_members else ()))
        mean = self._calibrated(mean)
        decided = () if self.decision is None else (self.decision.on_tensors(mean),)
        if not self.gives_members:
            return (mean.float(), *decided)
        return (mean.float(), *decided, torch.stack([self._calibrated(one) for one in each], dim=1).float())

    def _calibrated(self, mean: Tensor) -> Tensor:
        return _probabilities(mean.clamp(min=LEAST).log(), self.chain) if self.chain else mean


class MemberGraph(nn.Module):
    """What a member predicts: ``(batch, n_outputs)`` float64 probabilities, or values in the target's own unit."""

    def __init__(self, member: Member, preparation: nn.Module) -> None:
        super().__init__()
        self.preparation, self.network = preparation, member.network
        self.chain = member.calibrations
        prepared = member.prepared
        self.spec = prepared.spec
        self.target = None if prepared.classes else (prepared.target_mean, prepared.target_scale)

    def forward(self, x: Inputs) -> Tensor:
        outputs = self.network(self.preparation(x)).double()
        return self.of_outputs(outputs)

    def of_outputs(self, outputs: Tensor) -> Tensor:
        """The prediction, from the raw outputs of its network in float64, or the sums of its trees."""
        if isinstance(self.network, TreeModule):
            outputs = self.network.of_sums(outputs)
        if self.target is None:
            return _probabilities(outputs, self.chain)
        center, scale = self.target
        values: Tensor = outputs * scale + center
        return values


class PreparationGraph(nn.Module):
    """The prepared inputs of one member, in the order of `made`: what stands before a network that is an ONNX graph."""

    def __init__(self, whole: ModelGraph, place: int, made: Sequence[str]) -> None:
        super().__init__()
        member = whole.members[place]
        assert isinstance(member, MemberGraph)
        self.names, self.preparation, self.made = whole.names, member.preparation, tuple(made)

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        prepared = self.preparation(dict(zip(self.names, inputs, strict=True)))
        return tuple(prepared[name] for name in self.made)


class ColumnsGraph(nn.Module):
    """The columns of one member's trees: what stands before them."""

    def __init__(self, whole: ModelGraph, place: int) -> None:
        super().__init__()
        member = whole.members[place]
        assert isinstance(member, MemberGraph)
        assert isinstance(member.network, TreeModule)
        self.names, self.preparation, self.trees = whole.names, member.preparation, member.network

    def forward(self, *inputs: Tensor) -> Tensor:
        columns: Tensor = self.trees.tree_columns(self.preparation(dict(zip(self.names, inputs, strict=True))))
        return columns


class OutputsGraph(nn.Module):
    """The model's outputs from the raw outputs of all members: what stands behind trees and networks that are ONNX
    graphs."""

    def __init__(self, whole: ModelGraph) -> None:
        super().__init__()
        self.whole = whole

    def forward(self, *outputs: Tensor) -> tuple[Tensor, ...]:
        pairs = zip(self.whole.members, outputs, strict=True)
        return self.whole.of_members([member.of_outputs(one.double()) for member, one in pairs])  # type: ignore[operator]


def _probabilities(logits: Tensor, chain: Chain) -> Tensor:
    """`rarebird.model.chain.probabilities` in torch operations."""
    for _, calibration in chain:
        logits = calibration.on_tensors(logits)
    return logits.softmax(dim=1)
