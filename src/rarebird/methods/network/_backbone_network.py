"""The network of a backbone: timm's body, its pooled features, and a head that is learned anew."""

# Shape legend: B batch, D width of the features.

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import Tensor, nn

from rarebird.core.checks import DataError
from rarebird.methods.network import _timm_models as timm_models
from rarebird.methods.network._channel_trace import traced_groups
from rarebird.methods.network._channels import ChannelGroup
from rarebird.methods.network._layers import HeadedNetwork, Resize, Standardize

if TYPE_CHECKING:
    from rarebird.data.spec import InputSpec
    from rarebird.slots.protocols import Inputs

# Added before a root is taken, so that its slope at 0 is finite where the body learns; and the power of a part's width
# by which its features are weighted; and the number of deviations beyond which features are cut.
NEAR_ZERO, WIDTH_POWER, MOST_DEVIATIONS = 1e-3, -0.25, 3.0


PerChannel = float | tuple[float, ...]


class Settings(Protocol):
    """What the network reads of the settings of `backbone`."""

    @property
    def model(self) -> str: ...

    @property
    def model_args(self) -> dict[str, Any] | None: ...

    @property
    def mean(self) -> PerChannel | None: ...

    @property
    def std(self) -> PerChannel | None: ...

    @property
    def pooling(self) -> timm_models.Pooling: ...

    @property
    def dropout(self) -> float: ...

    @property
    def own_size(self) -> int: ...


class BackboneNetwork(HeadedNetwork):
    """Resize, standardize, body, pooling, standardized features, head.

    ``embed(x)`` is the part that a frozen body needs once per row: ``{"embedded": (B, D)}``. In training the network
    needs two rows or more, as every batch normalization does.

    Attributes:
        cells_per_row: Numbers in one picture as the body sees it, in three channels at least: the maps behind the
            first convolution, which take the memory, do not depend on the channels.
    """

    def __init__(self, settings: Settings, spec: InputSpec) -> None:
        super().__init__()
        self.settings, self.channels = settings, spec.channels
        config = timm_models.config(settings.model)
        sides = _sides(spec, settings.own_size, bool(config.get("fixed_input_size")))
        self.sides = sides
        self.cells_per_row = max(spec.channels, 3) * sides[0] * sides[1]
        args = json.dumps(settings.model_args)
        layout = timm_models.layout(settings.model, args, spec.channels, sides, settings.pooling)
        self.levels = layout.levels
        self.body = timm_models.create(settings.model, settings.model_args or {}, spec.channels, sides)
        self.resize = Resize(*sides)
        self.standardize = Standardize(
            *(timm_models.per_channel(config[name] if own is None else own, spec.channels, name)
              for name, own in (("mean", settings.mean), ("std", settings.std)))
        )  # fmt: skip
        self.scale = nn.BatchNorm1d(layout.width, affine=False)
        # It follows from the settings, so that it is not saved.
        self.emphasis: Tensor | None
        self.register_buffer("emphasis", emphasis(layout.widths) if self.takes_roots else None, persistent=False)
        self.dropout = nn.Dropout(settings.dropout)
        self.head = nn.Linear(layout.width, spec.n_outputs)

    @torch.no_grad()
    def embed(self, x: Inputs) -> Inputs:
        """The pooled features of the body in evaluation mode."""
        if "embedded" in x:
            return x
        was_training = self.body.training
        self.body.eval()
        pooled = self._pooled(x)
        self.body.train(was_training)
        return {"embedded": pooled.float()}

    def features(self, x: Inputs) -> Tensor:
        pooled = x["embedded"] if "embedded" in x else self._pooled(x)
        scaled: Tensor = self.scale(pooled)
        if self.settings.pooling == "statistics":
            scaled = scaled.clamp(-MOST_DEVIATIONS, MOST_DEVIATIONS)
        scaled = self.dropout(scaled)
        return scaled if self.emphasis is None else scaled * self.emphasis

    @property
    def takes_roots(self) -> bool:
        """Whether features are signed square roots, weighted by part."""
        return self.settings.pooling in ("roots", "statistics")

    def _pooled(self, x: Inputs) -> Tensor:
        pixels = self.standardize(self.resize(x["pixels"]))
        parts = timm_models.pooled(self.body, pixels, self.settings.pooling, self.levels)
        joined = torch.cat(parts, dim=1)
        return signed_root(joined) if self.takes_roots else joined

    def channel_groups(self) -> list[ChannelGroup]:
        """The channels of the body that can be removed together, those that reach the pooled features included.

        Raises:
            DataError: They cannot be followed through the body.
        """
        try:
            return traced_groups(self, {"pixels": torch.empty(1, self.channels, *self.sides)})
        except Exception as error:  # whatever a model's layers raise
            raise DataError(
                f"The channels of the backbone {self.settings.model!r} cannot be followed "
                f"({timm_models.first_line(error)}); give --prune weights."
            ) from None

    @property
    def feature_map(self) -> str:
        """The body's last stage of maps; empty of a body of tokens."""
        name = timm_models.last_map(self.body)
        return f"body.{name}" if name else ""

    def load_body(self, tensors: Mapping[str, Tensor]) -> list[str]:
        """Load tensors into the body as timm loads its own weights: the head is left out, and the first convolution is
        fitted to the channels.

        Returns:
            The names of this network's tensors that have their values from `tensors`.

        Raises:
            Exception: Whatever torch or timm raise where the tensors do not fit.
        """
        settings = self.settings
        loaded = timm_models.load(
            self.body, tensors, settings.model, settings.model_args or {}, self.channels, self.sides
        )
        return [f"body.{name}" for name in loaded]

    @torch.no_grad()
    def fit_scale(self, embedded: Tensor, counts: Tensor) -> None:
        """Standardize features by the mean and deviation of these rows, ``(n, D)``, each counting ``counts (n,)``."""
        share = (counts / counts.sum()).to(embedded)[:, None]
        mean = (share * embedded).sum(dim=0)
        assert self.scale.running_mean is not None
        assert self.scale.running_var is not None
        self.scale.running_mean.copy_(mean)
        self.scale.running_var.copy_((share * (embedded - mean).square()).sum(dim=0))


def signed_root(features: Tensor) -> Tensor:
    """``sign(x) sqrt(|x|)``, rounded near 0."""
    sizes: Tensor = (features.abs() + NEAR_ZERO).sqrt() - NEAR_ZERO**0.5
    return features.sign() * sizes


def emphasis(widths: Sequence[int]) -> Tensor:
    """``(D,)`` the weight of each feature by the width of its part; their mean square is 1."""
    weights = torch.cat([torch.full((width,), width**WIDTH_POWER) for width in widths])
    return weights / weights.square().mean().sqrt()


def _sides(spec: InputSpec, size: int, square: bool) -> tuple[int, int]:
    """Height and width: about ``size ** 2`` pixels at the pictures' own ratio, or a square for bodies that need it."""
    if square:
        return size, size
    ratio = (spec.height / spec.width) ** 0.5
    return max(1, round(size * ratio)), max(1, round(size / ratio))
