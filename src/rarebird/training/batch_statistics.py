"""Batch normalization over the rows of all ranks, on any device, forward and backward.

Ioffe and Szegedy, "Batch normalization: accelerating deep network training by reducing internal covariate shift", ICML
2015. torch has this for GPUs alone (`torch.nn.SyncBatchNorm`).

With N rows (and places) of all ranks, mean m, variance v, normalized values ``h = (x - m) / sqrt(v + eps)`` and the
gradient g of the output, the gradient of x is ``w / sqrt(v + eps) * (g - sum(g) / N - h * sum(g h) / N)``; both sums
are over all ranks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from rarebird.training import distributed


@contextmanager
def shared_statistics(network: nn.Module) -> Iterator[None]:
    """In the block, batch normalization in training mode takes the statistics of all ranks' rows, whatever layer calls
    it; nothing changes for one process, or for a network without such layers."""
    normalizes = any(isinstance(module, nn.modules.batchnorm._BatchNorm) for module in network.modules())
    if distributed.count() == 1 or not normalizes:
        yield
        return
    with _SharedStatistics():
        yield


class _SharedStatistics(TorchFunctionMode):
    """Puts `batch_norm` in the place of torch's."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        return (batch_norm if func is F.batch_norm else func)(*args, **(kwargs or {}))


def batch_norm(
    x: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """`torch.nn.functional.batch_norm` over the rows of all ranks; ``(batch, channels, ...)``, any number of rows."""
    if not training:
        return F.batch_norm(x, running_mean, running_var, weight, bias, False, momentum, eps)
    mean, variance, n = statistics(x)
    if running_mean is not None and running_var is not None:
        with torch.no_grad():
            running_mean.lerp_(mean.to(running_mean.dtype), momentum)
            running_var.lerp_((variance * (n / max(n - 1, 1.0))).to(running_var.dtype), momentum)
    normalized: Tensor = _Normalized.apply(x, mean, variance, n, weight, bias, eps)
    return normalized


@torch.no_grad()
def statistics(x: Tensor) -> tuple[Tensor, Tensor, float]:
    """``(channels,)`` float32 mean and variance over the rows and places of all ranks, and how many these are."""
    n = x.numel() // x.shape[1]
    mean, variance = torch.batch_norm_update_stats(x.float(), None, None, 0.0)
    # In double precision, as the variance is a difference of sums.
    mean, variance = mean.double(), variance.double()
    summed = distributed.total(torch.cat([mean * n, (variance + mean.square()) * n, mean.new_tensor([n])]))
    of_all = float(summed[-1])
    mean, squares = (summed[:-1] / of_all).chunk(2)
    return mean.float(), (squares - mean.square()).clamp(min=0).float(), of_all


class _Normalized(torch.autograd.Function):
    """Normalizes by statistics of all ranks, on which x depends."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        mean: Tensor,
        variance: Tensor,
        n: float,
        weight: Tensor | None,
        bias: Tensor | None,
        eps: float,
    ) -> Tensor:
        ctx.save_for_backward(x, mean, variance, torch.ones_like(mean) if weight is None else weight)
        ctx.n, ctx.eps, ctx.is_affine = n, eps, weight is not None
        return F.batch_norm(x, mean, variance, weight, bias, False, 0.0, eps)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, mean, variance, weight = ctx.saved_tensors
        # The sums of g h and of g over this rank's rows; x itself depends on those over all ranks.
        _, of_weight, of_bias = torch.ops.aten.native_batch_norm_backward(
            gradient, x, weight, mean, variance, None, None, False, ctx.eps, [False, True, True]
        )
        mean_gh, mean_g = (distributed.total(torch.cat([of_weight, of_bias]).double()) / ctx.n).float().chunk(2)
        scale = weight * (variance + ctx.eps).rsqrt()
        # The same layer again, with other weights, gives what depends on h in one pass over x.
        of_x = F.batch_norm(x, mean, variance, -scale * mean_gh, -scale * mean_g, False, 0.0, ctx.eps)
        of_x.addcmul_(gradient, scale.to(gradient.dtype).view(1, -1, *[1] * (x.ndim - 2)))
        return of_x, None, None, None, *((of_weight, of_bias) if ctx.is_affine else (None, None)), None
