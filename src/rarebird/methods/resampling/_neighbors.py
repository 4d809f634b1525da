"""The nearest rows of a table, exactly, in chunks of bounded memory, on the GPU where there is one.

Distances are Euclidean over numbers; two different categories of a column lie `penalty` apart. A matrix product gives
all squared distances of a block (categories as one axis each), of which the smallest of every `GROUP` is kept; the few
most promising groups are then measured directly in float64.

Many distances are first screened in a short type (bfloat16 where the CPU multiplies it, otherwise float32). With
rounding errors bounded by the triangle inequality, the screened distances are lower bounds of the true ones; a row
whose found neighbors lie within the bound of all rows that were passed over is done, and only the others are searched
again in float64.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np

if TYPE_CHECKING:
    import torch
    from torch import Tensor

# Rows of one group, of which the product keeps the smallest distance, and groups of one block.
GROUP, GROUPS = 4, 512
# What may take how much memory. The product of some rows and one block, and the coordinates that are measured at a
# time, stay in the processor's cache. For more smallest distances than these, each chunk would get new pages from the
# system, which takes longer than to fill them. The factors of all blocks are kept where they fit.
PRODUCT_BYTES, MEASURED_BYTES, CHUNK_BYTES, KEPT_BYTES = 2**21, 2**21, 2**24, 2**26
MOST_ROWS = 1024
# Distances below which screening does not pay, and the most axes that a category column gets in it; rarer categories
# share the last one, which makes distances smaller, never larger.
FEW_DISTANCES, SCREENED_AXES = 2_000_000, 64
PADDING = 1e30
# Positions of the nearest rows, and which rows' are certain.
Found = tuple[np.ndarray, np.ndarray]
Part = TypeVar("Part")
Result = TypeVar("Result")
# Values of which one is looked at first, where the smallest of many are sought.
SIFTED = 8


@dataclass(frozen=True, eq=False)
class Points:
    """Rows as points.

    Attributes:
        numbers: ``(n, n_numbers)`` float64, none missing, centered about 0.
        codes: ``(n, n_categories)`` int64 of each category, from the most frequent of its column on.
        penalty: Distance between two different categories of a column.
    """

    numbers: np.ndarray
    codes: np.ndarray
    penalty: float = 1.0

    def __len__(self) -> int:
        return len(self.numbers)


def nearest(points: Points, of: np.ndarray, among: np.ndarray, neighbors: int) -> np.ndarray:
    """``(len(of), k)`` positions in `points` of the nearest rows, from the nearest on; no row is its own neighbor, even
    if it has a twin.

    Args:
        points: The rows.
        of: ``(m,)`` positions of the rows whose neighbors are sought.
        among: ``(l,)`` distinct positions of the rows where they are sought; all, some or none of them may be in `of`.
        neighbors: How many; k is fewer where `among` holds no more, or, if it holds some of `of`, no more others.
    """
    k = max(0, min(neighbors, len(among) - int(np.isin(of, among).any())))
    found = np.zeros((len(of), k), dtype=np.int64)
    if not found.size:
        return found
    left = np.arange(len(of))
    for device, dtype in _passes(len(of) * len(among)):
        found[left], sure = _pass(_Search(points, among, k, device, dtype), of[left])
        left = left[~sure]
        if not len(left):
            break
    return among[found]


def _pass(search: _Search, of: np.ndarray) -> Found:
    """The rows' nearest by one number type, in chunks."""
    chunks = np.split(of, range(search.rows_at_once, len(of), search.rows_at_once))
    results = _in_threads(search.nearest, chunks, search.device)
    return np.concatenate([positions for positions, _ in results]), np.concatenate([sure for _, sure in results])


def _in_threads(work: Callable[[Part], Result], parts: list[Part], device: str) -> list[Result]:
    """The work on each part, in their order; on the CPU by one thread each, so that no small operation waits for
    several."""
    import torch

    threads = torch.get_num_threads()
    if device != "cpu" or threads == 1:
        return [work(part) for part in parts]
    try:
        with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            return list(pool.map(work, parts))
    finally:
        # A thread's number is its own, but threads to come start with the last that was set.
        torch.set_num_threads(threads)


def _passes(distances: int) -> list[tuple[str, torch.dtype]]:
    """Device and number type of each pass; the last is exact."""
    import torch

    if distances < FEW_DISTANCES:
        return [("cpu", torch.float64)]
    if torch.cuda.is_available():
        return [("cuda", torch.float64)]
    # The public question is younger than the oldest torch that serves; an older one screens in float32.
    able: Mapping[str, object] = getattr(torch.cpu, "get_capabilities", dict)()
    short = torch.bfloat16 if able.get("avx512_bf16") or able.get("amx_bf16") else torch.float32
    return [("cpu", short), ("cpu", torch.float64)]


class _Search:
    """One pass over all rows of `among` in one number type."""

    def __init__(self, points: Points, among: np.ndarray, k: int, device: str, dtype: torch.dtype) -> None:
        import torch

        self.points, self.among, self.k = points, among, k
        self.device, self.dtype = device, dtype
        self.exact = dtype == torch.float64
        # Numbers of 16 bits sort as integers of the same bits do, which processors compare much faster.
        self.sorted_as = torch.int16 if dtype == torch.bfloat16 else dtype
        self.size = min(GROUPS, -(-len(among) // GROUP))
        blocks = -(-len(among) // (self.size * GROUP))
        # Group c of a block holds its rows c, c + size, c + 2 size ..: that way the smallest of each group is a vector
        # operation.
        shape = (blocks, GROUP, self.size)
        self.members = (
            torch.arange(blocks * GROUP * self.size).view(shape).transpose(1, 2).reshape(-1, GROUP).to(device)
        )
        # Twice as many groups as neighbors, so that the bound of the first one left out stays clear of rounding.
        self.groups = min(2 * k + 4, len(self.members))
        most = len(among) if self.exact else SCREENED_AXES
        self.axes = [min(most, int(codes.max()) + 1) for codes in points.codes[among].T]
        self.place = np.full(len(points), -1)
        self.place[among] = np.arange(len(among))
        self.inputs = self._tensors(among)
        rows = self.size * GROUP
        self.blocks = [slice(start, start + rows) for start in range(0, len(among), rows)]
        self.rounding = 0.0 if self.exact else max(_in_threads(self._rounding, self.blocks, device))
        width = self.inputs[0].shape[1] + sum(self.axes) + 4
        fits = len(among) * width * dtype.itemsize <= KEPT_BYTES
        self.kept = _in_threads(self._right, self.blocks, device) if fits else []
        self.rows_at_once = int(np.clip(CHUNK_BYTES // (len(self.members) * dtype.itemsize), 64, MOST_ROWS))

    def nearest(self, of: np.ndarray) -> Found:
        """``(m, k)`` positions in `among`, and ``(m,)`` whether they are surely the nearest."""
        numbers, codes = self._tensors(of)
        bound, groups = _smallest(self._lowest(numbers, codes), self.groups)
        candidates = self.members[groups].flatten(1)
        distance, found = self._measured(of, numbers, codes, candidates)
        if self.exact or self.groups == len(self.members):
            return found.cpu().numpy(), np.ones(len(of), dtype=bool)
        least = self._least(bound.view(self.dtype).double().amax(dim=1).clamp(min=0), numbers, codes)
        return found.numpy(), (distance[:, -1] <= least.square()).numpy()

    def _least(self, screened: Tensor, numbers: Tensor, codes: Tensor) -> Tensor:
        """``(m,)`` a true distance that no row falls below whose squared distance was `screened` ``(m,)`` or more."""
        import torch

        # The result's own rounding; that of the norms and the sum, whose terms are at most (|a| + |b|)^2, where |b| <=
        # |a| + distance.
        squared = screened * (1 - torch.finfo(self.dtype).eps)
        norm = (numbers.square().sum(dim=1) + codes.shape[1]).sqrt()
        width = numbers.shape[1] + sum(self.axes) + 4
        squared = squared - (2**-15 + width * 2**-23) * (2 * norm + squared.sqrt()).square()
        # The numbers themselves were rounded: by as much as is known for these rows, and at most by `rounding` of |b|
        # for the others.
        moved = torch.linalg.vector_norm(numbers - numbers.to(self.dtype), dim=1) + self.rounding * norm
        least: Tensor = ((squared.clamp(min=0).sqrt() - moved) / (1 + self.rounding)).clamp(min=0)
        return least

    def _lowest(self, numbers: Tensor, codes: Tensor) -> Tensor:
        """``(m, n_groups)`` the smallest squared distance of each group, in the type that they are sorted as.

        Below 0, where integers of the same bits sort otherwise than the numbers, there are rounding errors alone; they
        come first.
        """
        import torch

        wide = numbers.new_empty((len(numbers), len(self.members)), dtype=self.sorted_as)
        left = self._factor(numbers, codes, first=True)
        step = max(1, PRODUCT_BYTES // (self.size * GROUP * self.dtype.itemsize))
        space = left.new_empty((min(step, len(left)), self.size * GROUP))
        for place, block in enumerate(self.blocks):
            right = self.kept[place] if self.kept else self._right(block)
            for start in range(0, len(left), step):
                part = left[start : start + step]
                product = (
                    torch.mm(part, right, out=space[: len(part)]).view(self.sorted_as).view(len(part), GROUP, self.size)
                )
                into = wide[start : start + step, place * self.size : (place + 1) * self.size]
                torch.amin(product, dim=1, out=into)
        return wide

    def _right(self, block: slice) -> Tensor:
        """``(width, size * GROUP)`` the second factor of a block; rows that are missing in the last one are far
        away."""
        import torch

        right = self._factor(self.inputs[0][block], self.inputs[1][block], first=False).T.contiguous()
        lacking = self.size * GROUP - right.shape[1]
        if not lacking:
            return right
        far = right.new_zeros((right.shape[0], lacking))
        far[-1] = PADDING
        return torch.cat([right, far], dim=1)

    def _factor(self, numbers: Tensor, codes: Tensor, first: bool) -> Tensor:
        """``(m, width)``, so that the product of a first and a second factor holds ``|a|^2 - 2 a b + |b|^2``."""
        import torch

        one_hot = numbers.new_zeros((len(numbers), sum(self.axes)), dtype=self.dtype)
        start = 0
        for code, axes in zip(codes.T, self.axes, strict=True):
            one_hot[:, start : start + axes].scatter_(1, code.clamp(max=axes - 1)[:, None], 1)
            start += axes
        point = torch.cat([numbers.to(self.dtype), one_hot], dim=1)
        norm = point.double().square().sum(dim=1, keepdim=True)
        parts: list[Tensor] = []
        for _ in range(2 if self.dtype == torch.bfloat16 else 1):
            # A short type holds the norm in two parts, to 16 bits.
            parts.append((norm - sum(parts, norm.new_zeros(()))).to(self.dtype))
        ones = torch.ones_like(parts[0])
        columns = [-2 * point, *parts, *[ones] * len(parts)] if first else [point, *[ones] * len(parts), *parts]
        return torch.cat(columns, dim=1)

    def _rounding(self, block: slice) -> float:
        """By how much of its norm the number type moves a row of a block at most."""
        import torch

        rows = self.inputs[0][block]
        norm = torch.linalg.vector_norm(rows, dim=1).clamp(min=1e-300)
        return float((torch.linalg.vector_norm(rows - rows.to(self.dtype), dim=1) / norm).amax())

    def _measured(self, of: np.ndarray, numbers: Tensor, codes: Tensor, candidates: Tensor) -> tuple[Tensor, Tensor]:
        """``(m, k)`` squared distances of the nearest candidates, ascending, and their positions in `among`."""
        import torch

        own = torch.from_numpy(self.place[of]).to(self.device)
        distances, found = [], []
        step = max(1, MEASURED_BYTES // (8 * candidates.shape[1] * (numbers.shape[1] + codes.shape[1] + 1)))
        for start in range(0, len(candidates), step):
            part = slice(start, start + step)
            inside = candidates[part].clamp(max=len(self.among) - 1)
            near = torch.index_select(self.inputs[0], 0, inside.flatten()).view(*inside.shape, numbers.shape[1])
            distance = near.sub_(numbers[part, None]).square_().sum(dim=2)
            if codes.shape[1]:
                distance += 2 * (self.inputs[1][inside] != codes[part, None]).sum(dim=2)
            distance[(candidates[part] != inside) | (inside == own[part, None])] = torch.inf
            smallest = distance.topk(self.k, dim=1, largest=False)
            distances.append(smallest.values)
            found.append(inside.gather(1, smallest.indices))
        return torch.cat(distances), torch.cat(found)

    def _tensors(self, rows: np.ndarray) -> tuple[Tensor, Tensor]:
        """Numbers and codes in a unit in which two categories lie the root of 2 apart: one axis each, without
        rounding."""
        import torch

        unit = self.points.penalty * 0.5**0.5 if self.points.codes.shape[1] else 1.0
        numbers, codes = (
            torch.from_numpy(np.ascontiguousarray(part[rows])) for part in (self.points.numbers, self.points.codes)
        )
        return (numbers / unit).to(self.device), codes.to(self.device)


def _smallest(values: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The `k` smallest of each row and where they stand, in no order."""
    import torch

    rows, width = values.shape
    groups = width // SIFTED
    if groups <= 2 * k:
        least = values.topk(k, dim=1, largest=False, sorted=False)
        return least.values, least.indices
    # None of the k smallest stands in a group whose own smallest is not among the k smallest of the groups.
    even = groups * SIFTED
    _, first = _smallest(values[:, :even].view(rows, SIFTED, groups).amin(dim=1), k)
    where = (first[:, :, None] + groups * torch.arange(SIFTED, device=values.device)).flatten(1)
    rest = torch.arange(even, width, device=values.device).expand(rows, -1)
    where = torch.cat([where, rest], dim=1)
    least = values.gather(1, where).topk(k, dim=1, largest=False, sorted=False)
    return least.values, where.gather(1, least.indices)
