"""One network from several that share a start: means of their weights.

Uniform and greedy soups: Wortsman et al., "Model soups: averaging weights of multiple fine-tuned models improves
accuracy without increasing inference time", ICML 2022. TIES: Yadav, Tam, Choshen, Raffel and Bansal, "TIES-Merging:
resolving interference when merging models", NeurIPS 2023: of each network's change from the common start the largest
fifth is kept, each weight takes the sign in which the changes sum to more, and the changes of that sign are averaged.

A mean of weights is a network of the same quality only where the networks lie in one basin of the loss, as those that
were fine-tuned from the same weights do. Running statistics of batch normalization are computed anew, because the
activations of the mean differ from the mean of the activations.

NOTE[DIFF]: TIES starts from the mean of the networks where the common start is not known.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from rarebird.core.checks import DataError
from rarebird.data.dataset import Dataset
from rarebird.data.prepare import Prepared
from rarebird.model.model import Member
from rarebird.slots.stored_modules import ArrayModule, OnnxModule, TextModule, channel_widths
from rarebird.training.batches import ready
from rarebird.training.inference import placement

Way = Literal["uniform", "greedy", "ties"]
WAYS: tuple[Way, ...] = ("uniform", "greedy", "ties")
# Share of each network's changes that TIES keeps.
KEPT_CHANGES = 0.2
# Batches and rows from which statistics of batch normalization are computed.
BATCHES, BATCH = 32, 64


def check_mergeable(members: Sequence[Member], networks: Sequence[str]) -> None:
    """Refuse networks whose weights cannot be averaged.

    Args:
        members: The networks with their preparations.
        networks: Their methods' settings, as text.

    Raises:
        DataError: They cannot; the message has the reason.
    """
    if len(members) < 2:
        raise DataError("A merge needs two networks or more; give more models, or one that was cross-fitted.")
    if any(isinstance(one.network, OnnxModule | TextModule | ArrayModule) for one in members):
        raise DataError("Trees, forests and quantized networks have no weights to average; distil them instead.")
    others = [one for one in networks if one != networks[0]]
    if others:
        raise DataError(
            f"The models are of different networks ({networks[0]} and {others[0]}), whose weights cannot be averaged; "
            "distil them instead (rarebird compress --steps distill)."
        )
    first = members[0]
    shapes = [{name: value.shape for name, value in one.network.state_dict().items()} for one in members]
    widths = [channel_widths(one.network) for one in members]
    if any(one != shapes[0] for one in shapes) or any(one != widths[0] for one in widths):
        raise DataError(
            "The networks have different sizes (columns, bins or channels differ), so that their weights cannot be "
            "averaged; distil them instead (rarebird compress --steps distill)."
        )
    for one in members:
        if one.prepared.classes != first.prepared.classes:
            raise DataError("The models predict different classes; only models of the same classes can be merged.")
        if _columns(one.prepared) != _columns(first.prepared):
            raise DataError(
                "The networks know the table's columns or categories in another order, so that their weights mean "
                "different things; distil them instead (rarebird compress --steps distill)."
            )


def merged(members: Sequence[Member], way: Way, rows: Dataset, loss: Callable[[nn.Module, Prepared], float]) -> Member:
    """One network of the weights of several.

    Args:
        members: Checked by `check_mergeable`.
        way: How weights are put together.
        rows: Training rows, for statistics of batch normalization and nothing else.
        loss: Of a network on rows that choose; a greedy soup takes only what does not raise it.
    """
    prepared = mean_prepared([one.prepared for one in members])

    def soup(chosen: Sequence[Member]) -> nn.Module:
        states = [one.network.state_dict() for one in chosen]
        weights = ties(states) if way == "ties" else mean_state(states)
        network: nn.Module = deepcopy(chosen[0].network)
        network.load_state_dict(weights)
        renew_statistics(network, prepared, rows)
        return network.eval()

    if way != "greedy":
        return Member(soup(members), prepared)
    order = sorted(members, key=lambda one: loss(one.network, one.prepared))
    chosen, best = [order[0]], loss(order[0].network, order[0].prepared)
    for one in order[1:]:
        found = loss(soup([*chosen, one]), prepared)
        if found <= best:
            chosen, best = [*chosen, one], found
    return Member(soup(chosen), prepared)


def mean_state(states: Sequence[dict[str, Tensor]]) -> dict[str, Tensor]:
    """The mean of each tensor; what is no floating-point number is the first's."""
    first = states[0]
    return {
        name: torch.stack([state[name].double() for state in states]).mean(dim=0).to(value.dtype)
        if value.is_floating_point()
        else value.clone()
        for name, value in first.items()
    }


def ties(states: Sequence[dict[str, Tensor]], start: dict[str, Tensor] | None = None) -> dict[str, Tensor]:
    """TIES: trimmed changes from the start, of which those of the elected sign are averaged.

    Args:
        states: Of the networks.
        start: The weights from which all were trained; None: the mean of the networks takes its place.
    """
    start = mean_state(states) if start is None else start
    found = {}
    for name, base in start.items():
        if not base.is_floating_point():
            found[name] = base.clone()
            continue
        changes = torch.stack([trimmed(state[name].double() - base.double()) for state in states])
        sign = changes.sum(dim=0).sign()
        agrees = (changes.sign() == sign) & (changes != 0)
        mean = (changes * agrees).sum(dim=0) / agrees.sum(dim=0).clamp(min=1)
        found[name] = (base.double() + mean).to(base.dtype)
    return found


def trimmed(change: Tensor, share: float = KEPT_CHANGES) -> Tensor:
    """A change with all but its largest entries set to 0."""
    keep = max(1, round(share * change.numel())) if change.numel() else 0
    if keep >= change.numel():
        return change
    largest = torch.zeros_like(change).flatten()
    places = change.abs().flatten().topk(keep).indices
    largest[places] = change.flatten()[places]
    return largest.view_as(change)


@torch.no_grad()
def renew_statistics(network: nn.Module, prepared: Prepared, rows: Dataset) -> None:
    """Compute the running statistics of batch normalization anew, as a plain mean over batches of training rows."""
    norms = [one for one in network.modules() if isinstance(one, nn.modules.batchnorm._BatchNorm) and one.affine]
    if not norms:
        return
    momenta = [norm.momentum for norm in norms]
    network.eval()
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None
        norm.train()
    count = min(len(rows), BATCHES * BATCH)
    chosen = rows.take(np.random.default_rng(0).permutation(len(rows))[:count])
    inputs = prepared.inputs(chosen)
    where = placement("cpu", "pixels" in inputs)
    for start in range(0, max(count - 1, 1), BATCH):
        network(ready({name: part[start : start + BATCH] for name, part in inputs.items()}, where))
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
        norm.eval()


def mean_prepared(prepared: Sequence[Prepared]) -> Prepared:
    """The mean of the scales that several preparations learned."""
    first = prepared[0]

    def mean(values: Sequence[Sequence[float]]) -> tuple[float, ...]:
        return tuple(np.mean(np.array(values, dtype=np.float64), axis=0).tolist())

    specs = [one.spec for one in prepared]
    scales = {name: mean([getattr(spec, name) for spec in specs]) for name in ("mean", "std")}
    bins = tuple(mean([spec.bins[place] for spec in specs]) for place in range(len(first.spec.bins)))
    table = first.table
    if table is not None:
        tables = [one.table for one in prepared if one.table is not None]
        columns = [
            column.model_copy(
                update={
                    name: mean([getattr(one.columns[place], name) for one in tables]) for name in ("center", "scale")
                }
            )
            for place, column in enumerate(table.columns)
        ]
        table = table.model_copy(update={"columns": tuple(columns)})
    target = {
        name: float(np.mean([getattr(one, name) for one in prepared])) for name in ("target_mean", "target_scale")
    }
    spec = first.spec.model_copy(update={**scales, "bins": bins})
    return first.model_copy(update={"spec": spec, "table": table, **target})


def _columns(prepared: Prepared) -> list[tuple[str, str, tuple[str, ...]]]:
    table = prepared.table
    return [] if table is None else [(one.name, one.role, one.categories) for one in table.columns]
