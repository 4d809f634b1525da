"""The nearest rows of a table, exactly, in chunks of bounded memory, on the GPU where there is one.

Distances are Euclidean over numbers; two different categories of a column have the distance `penalty`. A matrix product
gives all squared distances of a block (with one axis for each category), and the smallest of every `GROUP` rows is
kept; the distances of the few nearest groups are then computed directly in float64.

If there are many distances, they are first screened in a short type (bfloat16 if the CPU can multiply it, otherwise
float32). With rounding errors bounded by the triangle inequality, screened distances give lower bounds of the true
ones. A row is done if its neighbors are nearer than the bound for all rows that were skipped; only the others are
searched again in float64.
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

# Rows of a group, of which only the smallest distance is kept, and groups of a block.
GROUP, GROUPS = 4, 512
# Limits on memory. The product of a few rows and one block, and the coordinates for exact distances, fit into the
# processor's cache. With more group minima than CHUNK_BYTES, each chunk would get new pages from the system, which
# takes longer than to fill them. The factors of all blocks are kept if they fit into KEPT_BYTES.
PRODUCT_BYTES, MEASURED_BYTES, CHUNK_BYTES, KEPT_BYTES = 2**21, 2**21, 2**24, 2**26
MOST_ROWS = 1024
# Number of distances below which screening does not pay, and the largest number of axes for a category column in it;
# rarer categories share the last axis, which makes distances smaller, never larger.
FEW_DISTANCES, SCREENED_AXES = 2_000_000, 64
PADDING = 1e30
# Positions of the nearest rows, and for which rows they are certain.
Found = tuple[np.ndarray, np.ndarray]
Part = TypeVar("Part")
Result = TypeVar("Result")
# To find the smallest of many values, the minima of groups of this size are compared first.
SIFTED = 8


@dataclass(frozen=True, eq=False)
class Points:
    """Rows as points.

    Attributes:
        numbers: ``(n, n_numbers)`` float64, none missing, centered about 0.
        codes: ``(n, n_categories)`` int64 category codes; the most frequent category of a column has code 0.
        penalty: Distance between two different categories of a column.
    """

    numbers: np.ndarray
    codes: np.ndarray
    penalty: float = 1.0

    def __len__(self) -> int:
        return len(self.numbers)


def nearest(points: Points, of: np.ndarray, among: np.ndarray, neighbors: int) -> np.ndarray:
    """``(len(of), k)`` positions in `points` of the nearest rows, the nearest first; no row is its own neighbor, even
    if it has an equal row.

    Args:
        points: The rows.
        of: ``(m,)`` positions of the rows whose neighbors are searched.
        among: ``(l,)`` distinct positions of the rows that may be neighbors; all, some or none of them may be in `of`.
        neighbors: How many; k is smaller if `among` has fewer rows, not counting the row itself.
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
    """The nearest rows by one number type, in chunks."""
    chunks = np.split(of, range(search.rows_at_once, len(of), search.rows_at_once))
    results = _in_threads(search.nearest, chunks, search.device)
    return np.concatenate([positions for positions, _ in results]), np.concatenate([sure for _, sure in results])


def _in_threads(work: Callable[[Part], Result], parts: list[Part], device: str) -> list[Result]:
    """The results of all parts, in their order; on the CPU each part runs in one thread, so that small operations do
    not wait for several threads."""
    import torch

    threads = torch.get_num_threads()
    if device != "cpu" or threads == 1:
        return [work(part) for part in parts]
    try:
        with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            return list(pool.map(work, parts))
    finally:
        # Each thread has its own number of torch threads, but new threads start with the last one that was set.
        torch.set_num_threads(threads)


def _passes(distances: int) -> list[tuple[str, torch.dtype]]:
    """Device and number type of each pass; the last is exact."""
    import torch

    if distances < FEW_DISTANCES:
        return [("cpu", torch.float64)]
    if torch.cuda.is_available():
        return [("cuda", torch.float64)]
    # Older versions of torch do not have `get_capabilities`; they screen in float32.
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
        # Numbers of 16 bits have the order of integers with the same bits, which processors compare much faster.
        self.sorted_as = torch.int16 if dtype == torch.bfloat16 else dtype
        self.size = min(GROUPS, -(-len(among) // GROUP))
        blocks = -(-len(among) // (self.size * GROUP))
        # Group c of a block has its rows c, c + size, c + 2 size ..: so the minima of groups are a vector operation.
        shape = (blocks, GROUP, self.size)
        self.members = (
            torch.arange(blocks * GROUP * self.size).view(shape).transpose(1, 2).reshape(-1, GROUP).to(device)
        )
        # Twice as many groups as neighbors, so that rounding errors hardly affect the bound of the first skipped group.
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
        """``(m, k)`` positions in `among`, and ``(m,)`` whether they are certainly the nearest."""
        numbers, codes = self._tensors(of)
        bound, groups = _smallest(self._lowest(numbers, codes), self.groups)
        candidates = self.members[groups].flatten(1)
        distance, found = self._measured(of, numbers, codes, candidates)
        if self.exact or self.groups == len(self.members):
            return found.cpu().numpy(), np.ones(len(of), dtype=bool)
        least = self._least(bound.view(self.dtype).double().amax(dim=1).clamp(min=0), numbers, codes)
        return found.numpy(), (distance[:, -1] <= least.square()).numpy()

    def _least(self, screened: Tensor, numbers: Tensor, codes: Tensor) -> Tensor:
        """``(m,)`` a lower bound of the true distance of rows whose screened squared distance is at least `screened`
        ``(m,)``."""
        import torch

        # Rounding of the result, then of the norms and the sum, whose terms are at most (|a| + |b|)^2 with |b| <= |a| +
        # distance.
        squared = screened * (1 - torch.finfo(self.dtype).eps)
        norm = (numbers.square().sum(dim=1) + codes.shape[1]).sqrt()
        width = numbers.shape[1] + sum(self.axes) + 4
        squared = squared - (2**-15 + width * 2**-23) * (2 * norm + squared.sqrt()).square()
        # Rounding of the numbers themselves: known for these rows, and at most `rounding` times |b| for the others.
        moved = torch.linalg.vector_norm(numbers - numbers.to(self.dtype), dim=1) + self.rounding * norm
        least: Tensor = ((squared.clamp(min=0).sqrt() - moved) / (1 + self.rounding)).clamp(min=0)
        return least

    def _lowest(self, numbers: Tensor, codes: Tensor) -> Tensor:
        """``(m, n_groups)`` the smallest squared distance of each group, in the type `sorted_as`.

        Values below 0, for which integers with the same bits have another order, are only rounding errors; they come
        first.
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
        """``(width, size * GROUP)`` the second factor of a block; the last block is filled up with rows that are far
        away."""
        import torch

        right = self._factor(self.inputs[0][block], self.inputs[1][block], first=False).T.contiguous()
        n_missing = self.size * GROUP - right.shape[1]
        if not n_missing:
            return right
        far = right.new_zeros((right.shape[0], n_missing))
        far[-1] = PADDING
        return torch.cat([right, far], dim=1)

    def _factor(self, numbers: Tensor, codes: Tensor, first: bool) -> Tensor:
        """``(m, width)``, so that the product of a first and a second factor is ``|a|^2 - 2 a b + |b|^2``."""
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
            # In a short type the norm has two parts, which give 16 bits.
            parts.append((norm - sum(parts, norm.new_zeros(()))).to(self.dtype))
        ones = torch.ones_like(parts[0])
        columns = [-2 * point, *parts, *[ones] * len(parts)] if first else [point, *[ones] * len(parts), *parts]
        return torch.cat(columns, dim=1)

    def _rounding(self, block: slice) -> float:
        """Largest rounding error of a row of a block in the number type, relative to the row's norm."""
        import torch

        rows = self.inputs[0][block]
        norm = torch.linalg.vector_norm(rows, dim=1).clamp(min=1e-300)
        return float((torch.linalg.vector_norm(rows - rows.to(self.dtype), dim=1) / norm).amax())

    def _measured(self, of: np.ndarray, numbers: Tensor, codes: Tensor, candidates: Tensor) -> tuple[Tensor, Tensor]:
        """``(m, k)`` exact squared distances of the nearest candidates, ascending, and their positions in `among`."""
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
        """Numbers and codes in a unit in which two categories have the distance ``sqrt(2)``, as one-hot axes do."""
        import torch

        unit = self.points.penalty * 0.5**0.5 if self.points.codes.shape[1] else 1.0
        numbers, codes = (
            torch.from_numpy(np.ascontiguousarray(part[rows])) for part in (self.points.numbers, self.points.codes)
        )
        return (numbers / unit).to(self.device), codes.to(self.device)


def _smallest(values: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The `k` smallest values of each row and their positions, in any order."""
    import torch

    rows, width = values.shape
    groups = width // SIFTED
    if groups <= 2 * k:
        least = values.topk(k, dim=1, largest=False, sorted=False)
        return least.values, least.indices
    # The k smallest values are in the groups with the k smallest minima.
    even = groups * SIFTED
    _, first = _smallest(values[:, :even].view(rows, SIFTED, groups).amin(dim=1), k)
    where = (first[:, :, None] + groups * torch.arange(SIFTED, device=values.device)).flatten(1)
    rest = torch.arange(even, width, device=values.device).expand(rows, -1)
    where = torch.cat([where, rest], dim=1)
    least = values.gather(1, where).topk(k, dim=1, largest=False, sorted=False)
    return least.values, where.gather(1, least.indices)
