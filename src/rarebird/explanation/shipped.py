"""The shipped output: what a model gives after averaging its members, prior correction and calibration, of one class,
as a function of its members' raw outputs in torch operations."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from rarebird.data.dataset import Dataset
from rarebird.model.chain import LEAST, Chain
from rarebird.model.model import Model
from rarebird.slots.protocols import Inputs
from rarebird.training import inference
from rarebird.training.batches import ready
from rarebird.training.inference import placement

OutputName = Literal["log_odds", "probability", "value"]
OUTPUTS = ("log_odds", "probability")
TEXTS = {
    "log_odds": "the log-odds of the probability",
    "probability": "the probability",
    "value": "the predicted value",
}


class ShippedOutput:
    """The output of a model that is explained.

    Args:
        model: The model; its networks are put into evaluation mode.
        output: ``log_odds`` (``log p / (1 - p)`` of a class) or ``probability``; for regression it is the ``value``.
    """

    def __init__(self, model: Model, output: OutputName = "log_odds") -> None:
        self.model = model
        self.output: OutputName = output if model.classes else "value"
        total = sum(member.weight for member in model.members)
        self.shares = [member.weight / total for member in model.members]
        for member in model.members:
            member.network.eval()

    def inputs(self, data: Dataset) -> list[Inputs]:
        """The prepared rows of each member, on the model's device; pictures as floats in 0..1."""
        where = placement(self.model.device, pictures=data.kind == "image")
        prepared = [member.prepared.inputs(data) for member in self.model.members]
        return [ready({name: part[: len(data)] for name, part in one.items()}, where) for one in prepared]

    def member_logits(self, place: int, x: Inputs) -> Tensor:
        """``(batch, n_outputs)`` raw outputs of a member, its augmented views averaged; a gradient passes through."""
        member = self.model.members[place]
        shown = [x, *(view(x) for view in member.views)]
        with _with_gradients(member.network):
            return inference.averaged([member.network(one).float() for one in shown])

    def log_probabilities(self, each: Sequence[Tensor]) -> Tensor:
        """``(batch, n_classes)`` float64, of the raw outputs of all members."""
        logs = [
            _chained(one.double(), member.calibrations).log_softmax(dim=1) + math.log(share)
            for member, one, share in zip(self.model.members, each, self.shares, strict=True)
            if share > 0
        ]
        log_p = torch.stack(logs).logsumexp(dim=0)
        if self.model.calibrations:
            log_p = _chained(log_p.clamp(min=math.log(LEAST)), self.model.calibrations).log_softmax(dim=1)
        return log_p

    def of_logits(self, each: Sequence[Tensor], codes: Tensor) -> Tensor:
        """``(batch,)`` float64, the output, from the raw outputs of all members and the class of each row."""
        members = self.model.members
        if not self.model.classes:
            parts = zip(members, each, self.shares, strict=True)
            values = [
                share * (one.double() * member.prepared.target_scale + member.prepared.target_mean)
                for member, one, share in parts
            ]
            return torch.stack(values).sum(dim=0)[:, 0]
        log_p = self.log_probabilities(each)
        own = log_p.gather(1, codes[:, None])[:, 0]
        if self.output == "probability":
            return own.exp()
        rest = log_p.scatter(1, codes[:, None], -torch.inf).logsumexp(dim=1)
        return own - rest

    def of_inputs(self, each: Sequence[Inputs], codes: Tensor) -> np.ndarray:
        """``(n,)`` float64, the output of prepared rows, computed in batches."""
        return self._batched(each, lambda logits, part: self.of_logits(logits, codes[part]))

    def probabilities(self, each: Sequence[Inputs]) -> np.ndarray:
        """``(n, n_classes)`` the model's probabilities of prepared rows."""
        return self._batched(each, lambda logits, _: self.log_probabilities(logits).exp())

    @torch.no_grad()
    def _batched(self, each: Sequence[Inputs], answer: Callable[[list[Tensor], slice], Tensor]) -> np.ndarray:
        n, size = len(next(iter(each[0].values()))), self.rows_at_once(each)
        parts = []
        for start in range(0, n, size):
            part = slice(start, start + size)
            some = [{name: one[part] for name, one in x.items()} for x in each]
            parts.append(answer([self.member_logits(place, x) for place, x in enumerate(some)], part).cpu())
        return torch.cat(parts).numpy() if parts else np.zeros(0)

    def rows_at_once(self, each: Sequence[Inputs], parts: int = 1) -> int:
        """Rows in a batch; fewer where activations are kept for a gradient, in `parts` times the memory."""
        sizes = [
            inference.rows_at_once(x, self.model.device, member.network)
            for x, member in zip(each, self.model.members, strict=True)
        ]
        return max(1, min(sizes) // parts)

    def codes(self, classes: np.ndarray) -> Tensor:
        """Class codes as a tensor on the model's device."""
        return torch.from_numpy(np.asarray(classes, dtype=np.int64)).to(self.model.device)

    def sentence(self, label: str | None) -> str:
        """What is explained, in words."""
        members = len(self.model.members)
        mean = f"averaged over {members} networks or references, " if members > 1 else ""
        if self.output == "value":
            return f"Explained is the predicted value that the model ships{f' ({mean[:-2]})' if mean else ''}."
        of = "the row's class" if label is None else f"class {label}"
        return (
            f"Explained is {TEXTS[self.output]} of {of} that the model ships: {mean}corrected to the natural prior and "
            "calibrated."
        )


def output_of(probabilities: np.ndarray, codes: np.ndarray, output: OutputName) -> np.ndarray:
    """``(n,)`` the output of a class, from the model's probabilities ``(n, n_classes)`` or values ``(n, 1)``."""
    if output == "value":
        return np.asarray(probabilities[:, 0])
    rows = np.arange(len(codes))
    own = probabilities[rows, codes]
    if output == "probability":
        return np.asarray(own)
    rest = probabilities.copy()
    rest[rows, codes] = 0
    return np.asarray(np.log(np.clip(own, LEAST, None)) - np.log(np.clip(rest.sum(axis=1), LEAST, None)))


def _chained(logits: Tensor, chain: Chain) -> Tensor:
    for _, calibration in chain:
        logits = calibration.on_tensors(logits)
    return logits


def _with_gradients(network: nn.Module) -> AbstractContextManager[object]:
    """cuDNN's recurrent layers give no gradient in evaluation mode; torch's own do."""
    recurrent = any(isinstance(module, nn.RNNBase) for module in network.modules())
    return torch.backends.cudnn.flags(enabled=False) if recurrent and torch.is_grad_enabled() else nullcontext()
