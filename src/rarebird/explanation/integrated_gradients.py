"""Integrated gradients of the shipped output, averaged over background rows.

Sundararajan, Taly and Yan, "Axiomatic Attribution for Deep Networks", ICML 2017: the gradient along the straight line
from a background row to the explained one, times the difference of both; the amounts add up to the difference of the
outputs. Averaged over several background rows it is the expected gradients of Erion et al., "Improving performance of
deep learning models with axiomatic attribution priors", Nature Machine Intelligence 2021.

All members of a model move along their own lines at the same time, so that the amounts add up for the output that is
shipped, also where members have other scales and columns. Of a category, the line leads between the two embeddings. The
length of a series stays that of the explained row.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from rarebird.core.progress import Progress, silent
from rarebird.explanation.amounts import LEAST_CHANGE, Amounts
from rarebird.explanation.features import FRAMES, Features, taken, taken_of_all
from rarebird.explanation.shipped import ShippedOutput
from rarebird.slots.explainable import EmbedsCategories
from rarebird.slots.protocols import Inputs
from rarebird.slots.stored_modules import ArrayModule, OnnxModule, TextModule

METHOD = "integrated_gradients"
# Points of each line: at first, and at most; they are tripled for the rows whose amounts do not add up within a share
# of the output's change. The middle of a part is the middle of its second third, so that no point is computed twice.
STEPS, MOST_STEPS, TOLERANCE = 16, 256, 0.03
# A gradient keeps the activations, which take more memory than a prediction does.
MEMORY_PARTS = 4
# Points at first and at most where one row fills a batch, as of a network whose gradient takes tens of milliseconds; as
# many times more as rows fit into a batch. A network on patches of 96 px: 4 points have the direction of the amounts of
# 32 with a cosine of .988, 12 points with .996.
POINTS_PER_ROW, MOST_PER_ROW = 4, 36


def integrated_gradients(
    shipped: ShippedOutput,
    rows: Sequence[Inputs],
    background: Sequence[Inputs],
    codes: np.ndarray,
    steps: int | None = None,
    most_steps: int | None = None,
    progress: Progress = silent,
) -> Amounts:
    """The amounts of rows.

    Args:
        shipped: The output; every member must be differentiable (`is_differentiable`).
        rows, background: Prepared rows of each member, from `shipped.inputs`.
        codes: ``(n,)`` the class that is explained for each row.
        steps, most_steps: Points of each line, at first and at most; None: up to `STEPS` and `MOST_STEPS`, and fewer
            where the networks are large.
        progress: Told of the share done; True from it ends the refinement.
    """
    at_once = shipped.rows_at_once(rows, MEMORY_PARTS)
    steps = min(STEPS, POINTS_PER_ROW * at_once) if steps is None else steps
    most_steps = min(MOST_STEPS, MOST_PER_ROW * at_once) if most_steps is None else most_steps
    features = Features(shipped)
    n, count, wanted = len(codes), len(next(iter(background[0].values()))), shipped.codes(codes)
    first = np.repeat(np.arange(n), count)
    second = np.tile(np.arange(count), n)
    framed = _framed(taken_of_all(rows, first), taken_of_all(background, second))
    base = shipped.of_inputs(framed, wanted[first]).reshape(n, count).mean(axis=1)
    explained = shipped.of_inputs(rows, wanted)
    values, open_rows, counts = np.zeros((n, *features.shape)), np.arange(n), tripled(steps, most_steps)
    for points in counts:
        shares = (np.arange(points) + 0.5) / points
        if points > steps:
            shares = shares[np.arange(points) % 3 != 1]
        found = _along(shipped, features, rows, background, codes, open_rows, shares, progress)
        values[open_rows] += len(shares) / points * (found - values[open_rows])
        errors = explained - base - values.reshape(n, -1).sum(axis=1)
        open_rows = np.flatnonzero(np.abs(errors) > TOLERANCE * np.maximum(np.abs(explained - base), LEAST_CHANGE))
        if not len(open_rows) or progress(0.9, "refining"):
            break
    detail = f"Integrated gradients from {count} background rows, {steps} to {counts[-1]} points on each line."
    return Amounts(METHOD, shipped.output, values, np.asarray(codes), explained, base, features.names, True, detail)


def tripled(first: int, most: int) -> list[int]:
    """``first``, three times as many, and so on up to ``most``; the first ones in any case."""
    counts = [first]
    while 3 * counts[-1] <= most:
        counts.append(3 * counts[-1])
    return counts


def is_differentiable(shipped: ShippedOutput, rows: Sequence[Inputs]) -> bool:
    """Whether the raw outputs of every member have a gradient with respect to its inputs; those of trees, of frozen
    counting convolutions and of ONNX graphs have none."""
    with torch.enable_grad():
        for place, x in enumerate(rows):
            one = taken(x, np.zeros(1, dtype=np.int64))
            moving, whole = _on_line(one, one, torch.full((1,), 0.5, device=shipped.model.device))
            network = shipped.model.members[place].network
            if isinstance(network, TextModule | ArrayModule | OnnxModule):
                return False
            with between_categories(network, one, one, torch.full((1,), 0.5, device=shipped.model.device)) as embedded:
                logits = shipped.member_logits(place, whole)
                leaves = [*moving.values(), *(leaf for leaf, _ in embedded)]
                if not logits.requires_grad:
                    return False
                found = torch.autograd.grad(logits.sum(), leaves, allow_unused=True)
            if all(part is None for part in found):
                return False
    return True


def _along(
    shipped: ShippedOutput,
    features: Features,
    rows: Sequence[Inputs],
    background: Sequence[Inputs],
    codes: np.ndarray,
    chosen: np.ndarray,
    shares: np.ndarray,
    progress: Progress,
) -> np.ndarray:
    """``(len(chosen), *shape)`` the mean over background rows and over the points at these shares of each line."""
    counts = (len(chosen), len(next(iter(background[0].values()))), len(shares))
    place, other, point = (part.ravel() for part in np.indices(counts))
    total = torch.zeros(len(chosen), *features.shape, dtype=torch.float64)
    size = shipped.rows_at_once(rows, MEMORY_PARTS)
    for start in range(0, len(place), size):
        part = slice(start, start + size)
        at = torch.from_numpy(shares[point[part]]).float()
        first, second = taken_of_all(rows, chosen[place[part]]), taken_of_all(background, other[part])
        amounts = _at(shipped, features, first, second, shipped.codes(codes[chosen[place[part]]]), at)
        total.index_add_(0, torch.from_numpy(place[part]), amounts.double().cpu() / (counts[1] * counts[2]))
        progress(min(0.9, (start + size) / len(place)), "integrating gradients")
    return total.numpy()


def _at(
    shipped: ShippedOutput,
    features: Features,
    rows: list[Inputs],
    background: list[Inputs],
    codes: Tensor,
    shares: Tensor,
) -> Tensor:
    """``(batch, *shape)`` gradient times difference at one point of each line."""
    shares = shares.to(shipped.model.device)
    leaves: list[list[tuple[str, Tensor, Tensor]]] = []
    logits = []
    with torch.enable_grad():
        for place, (x, b) in enumerate(zip(rows, background, strict=True)):
            moving, whole = _on_line(x, b, shares)
            with between_categories(shipped.model.members[place].network, b, x, shares) as embedded:
                logits.append(shipped.member_logits(place, whole))
            found = [(name, leaf, x[name] - b[name]) for name, leaf in moving.items()]
            leaves.append([*found, *(("categories", leaf, gap) for leaf, gap in embedded)])
        output = shipped.of_logits(logits, codes).sum()
        flat = [leaf for part in leaves for _, leaf, _ in part]
        gradients = iter(torch.autograd.grad(output, flat, allow_unused=True))
    amounts = None
    for place, part in enumerate(leaves):
        parts = _parts([(name, gap, next(gradients)) for name, _, gap in part], rows[place])
        own = features.collected(place, parts)
        amounts = own if amounts is None else amounts + own
    assert amounts is not None
    return amounts


def _parts(found: list[tuple[str, Tensor, Tensor | None]], x: Inputs) -> dict[str, Tensor]:
    """Gradient times difference of each input; of embedded categories summed over the embedding."""
    parts = {name: torch.zeros_like(gap) for name, gap, _ in found if name != "categories"}
    columns = []
    for name, gap, gradient in found:
        amount = torch.zeros_like(gap) if gradient is None else gradient * gap
        if name == "categories":
            columns.append(amount.sum(dim=1))
        else:
            parts[name] = amount
    if "categories" in x:
        width = x["categories"].shape[1]
        zeros = parts["numbers"].new_zeros(len(x["categories"]), width)
        # A network may embed its categories more than once; the columns repeat in order.
        parts["categories"] = (
            torch.stack(columns, dim=1).reshape(len(zeros), -1, width).sum(dim=1) if columns else zeros
        )
    return parts


def _on_line(x: Inputs, b: Inputs, shares: Tensor) -> tuple[Inputs, Inputs]:
    """The float inputs between `b` and `x`, which need a gradient; and all inputs with these in their places."""
    moving = {}
    for name, part in x.items():
        if name in FRAMES or not part.is_floating_point():
            continue
        wide = shares.reshape(-1, *(1,) * (part.ndim - 1))
        moving[name] = (b[name] + wide * (part - b[name])).detach().requires_grad_(True)
    return moving, {**x, **moving}


def _framed(rows: list[Inputs], background: list[Inputs]) -> list[Inputs]:
    """Background rows with the lengths of the explained ones."""
    return [
        {name: x[name] if name in FRAMES else part for name, part in b.items()}
        for x, b in zip(rows, background, strict=True)
    ]


@contextmanager
def between_categories(
    network: nn.Module, before: Inputs, after: Inputs, shares: Tensor
) -> Iterator[list[tuple[Tensor, Tensor]]]:
    """Within the block, modules that embed categories give points on the lines between the embeddings of two rows.

    Args:
        network: Its modules with `embeds_categories` are changed.
        before, after: Inputs with ``categories``; of other kinds nothing is changed.
        shares: ``(batch,)`` the point of each line.

    Yields:
        For each embedded column, the points, which need a gradient, and the difference of both embeddings; filled while
        the network computes.
    """
    found: list[tuple[Tensor, Tensor]] = []

    def moved(module: Any, arguments: Any, output: Any) -> list[Tensor]:
        lines = []
        for start, end in zip(module.forward(before["categories"]), module.forward(after["categories"]), strict=True):
            gap = (end - start).detach()
            point = (start.detach() + shares[:, None] * gap).requires_grad_(True)
            found.append((point, gap))
            lines.append(point)
        return lines

    layers = [module for module in network.modules() if isinstance(module, EmbedsCategories)]
    hooks = [layer.register_forward_hook(moved) for layer in layers if "categories" in before]
    try:
        yield found
    finally:
        for hook in hooks:
            hook.remove()
