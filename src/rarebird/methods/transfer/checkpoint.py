"""Initial weights from a file: safetensors, or torch's own file, of timm or of the same network.

Yosinski, Clune, Bengio and Lipson, "How transferable are features in deep neural networks?", NeurIPS 2014; Kornblith,
Shlens and Le, "Do Better ImageNet Models Transfer Better?", CVPR 2019. For ``network=backbone`` timm loads the tensors
as it loads its own weights (its rules for other channels, sizes and names hold, and the head is left out); any other
network takes the tensors whose name and shape are its own. Without a file, timm's own weights of the backbone are used
if they already lie in a cache of this machine.

*Helps when* rows are few and the weights were learned on many of the same kind: ImageNet's for photographs, and, still,
for X-rays and textures.

*Does not help when* the rows look like nothing the weights have seen (spectrograms, tiny drawings), or are many
thousands.

Cost: reading the file. Nothing is fetched: what is not on this machine is refused, and the message says how to get it.

NOTE[DIFF]: weights that are saved by pickle are read without running code of theirs; a file that holds other objects
than tensors is refused.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from rarebird.core.checks import DataError
from rarebird.methods.transfer import _loading, _tensor_files, _timm_cache
from rarebird.slots.methods import Method

if TYPE_CHECKING:
    from torch import nn

    from rarebird.slots.starting_weights import StartingWeights, StartRows

KINDS = ("image", "table", "series")


class Checkpoint(Method):
    """Where the weights are.

    Attributes:
        file: The file; None: timm's own weights of the network, from a cache of this machine.
        license: The weights' licence, where neither the file nor a ``config.json`` beside it states it.
        fingerprint: SHA-256 of the file; a run records it, so that a replay begins with the same weights.
    """

    file: str | None = None
    license: str | None = None
    fingerprint: str | None = None

    @classmethod
    def examples(cls) -> list[Self]:
        return [cls(), cls(file="weights.safetensors", license="apache-2.0")]

    def recorded(self, network: Method) -> Self:
        """The settings with the file that they mean, and its fingerprint.

        Args:
            network: The recipe's network, whose weights are meant if no file is named.

        Raises:
            DataError: There is no such file on this machine.
        """
        path, license = self._source(network)
        found = _tensor_files.fingerprint(path)
        if self.fingerprint not in (None, found):
            raise DataError(
                f"{path} is not the file that the recipe was trained with: its SHA-256 begins with {found[:12]}, not "
                f"{(self.fingerprint or '')[:12]}; give that file with --set transfer.file=FILE, or leave the recorded "
                "one out with --set transfer.fingerprint=none."
            )
        return type(self)(file=str(path), license=self.license or license, fingerprint=found)

    def start(self, network: nn.Module, rows: StartRows) -> StartingWeights:
        """Put the weights into the network.

        Raises:
            DataError: The file is absent, damaged or of another network.
        """
        path, license = self._source(getattr(network, "settings", None))
        file = _tensor_files.read(path)
        started = _loading.load(network, file.tensors, path.name)
        said = self.license or file.license or license
        return started.model_copy(update={"fingerprint": file.fingerprint, "license": said})

    def _source(self, network: Any) -> tuple[Path, str | None]:
        """The file, and the licence that timm states for it if it is timm's own."""
        if self.file is not None:
            return Path(self.file), None
        model = getattr(network, "model", None)
        if model is None:
            raise DataError("Which weights? Name their file with --set transfer.file=FILE.")
        found = _timm_cache.weights_of(model)
        if found is None:
            raise DataError(
                f"There are no weights of {model!r} on this machine, and nothing is fetched here. Name a file with "
                "--set transfer.file=FILE, or fetch timm's once where there is a connection: "
                f"python -c \"import timm; timm.create_model('{model}', pretrained=True)\""
            )
        return found
