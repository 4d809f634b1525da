"""Initial weights from another model of this package: every part that fits, by name and shape.

Pan and Yang, "A survey on transfer learning", IEEE TKDE 2010; Yosinski, Clune, Bengio and Lipson, "How transferable are
features in deep neural networks?", NeurIPS 2014. Of the model's networks, the one is taken of which most parts fit the
new network. The head comes along where the classes are the same, in the same order.

*Helps when* the other model was trained on many rows of the same kind: last year's data, another site's, all classes
where now only some count.

*Does not help when* the networks differ in depth or width, because hardly any part fits then, or the tasks have nothing
in common.

Cost: reading the model's weights.

NOTE[DIFF]: a run on the same rows is refused: its networks have learned from rows that would now judge.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from rarebird.core.checks import DataError
from rarebird.data.fingerprint import fingerprint
from rarebird.methods.transfer import _loading, _tensor_files
from rarebird.slots.methods import Method

if TYPE_CHECKING:
    from torch import Tensor, nn

    from rarebird.data.dataset import Dataset
    from rarebird.slots.starting_weights import StartingWeights, StartRows

KINDS = ("image", "table", "series")
WEIGHTS, DESCRIPTION, DATA = "weights.safetensors", "model.json", "data.json"
LARGEST_JSON = 2**28


class FromRun(Method):
    """Where the other model is.

    Attributes:
        run: The folder of the run, or of its model.
        fingerprint: SHA-256 of the model's weights; a run records it, so that a replay begins with the same weights.
    """

    run: str | None = None
    fingerprint: str | None = None

    @classmethod
    def examples(cls) -> list[Self]:
        return [cls(), cls(run="runs/other")]

    def recorded(self, network: Method) -> Self:
        """The settings with the fingerprint of the model's weights.

        Raises:
            DataError: The folder holds no model, or another one than at the time of the recorded fingerprint.
        """
        found = _tensor_files.fingerprint(self._folder() / WEIGHTS)
        if self.fingerprint not in (None, found):
            raise DataError(
                f"The model in {self.run} has changed since the recipe was trained; give the earlier one with --set "
                "transfer.run=FOLDER, or leave the recorded fingerprint out with --set transfer.fingerprint=none."
            )
        return self.model_copy(update={"fingerprint": found})

    def check(self, train: Dataset) -> None:
        """Refuse a run that learned from these very rows.

        Raises:
            DataError: It did.
        """
        beside = self._folder().parent / DATA
        if beside.is_file() and _json(beside).get("fingerprint") == fingerprint(train):
            raise DataError(
                f"The run {self.run} was trained on these same rows ({train.name}), so that its weights know the rows "
                "that are to judge; transfer from a run on other rows."
            )

    def start(self, network: nn.Module, rows: StartRows) -> StartingWeights:
        """Put the parts that fit into the network.

        Raises:
            DataError: The folder holds no model, one for other columns, or one of which no part fits.
        """
        folder = self._folder()
        members = _json(folder / DESCRIPTION).get("members", [])
        file = _tensor_files.read(folder / WEIGHTS)
        own = network.state_dict()
        best: tuple[int, dict[str, Tensor], Any] = (-1, {}, {})
        for place, member in enumerate(members):
            start = f"{place}."
            parts = {name.removeprefix(start): part for name, part in file.tensors.items() if name.startswith(start)}
            fitting = sum(name in own and own[name].shape == part.shape for name, part in parts.items())
            if fitting > best[0]:
                best = (fitting, parts, member)
        _, tensors, member = best
        try:
            prepared = member["prepared"]
            kind, classes, table = prepared["spec"]["kind"], tuple(prepared["classes"]), prepared["table"] or {}
            columns = tuple(column["name"] for column in table.get("columns", ()))
        except (KeyError, TypeError):
            raise DataError(f"{self.run} holds no model that can be read: its {DESCRIPTION} is incomplete.") from None
        if kind != rows.spec.kind or columns != rows.columns:
            what = f"{kind} data" if kind != rows.spec.kind else f"the columns {', '.join(columns)[:200]}"
            raise DataError(f"The model in {self.run} is for {what}, which these rows do not have.")
        source = f"the model in {self.run}"
        started = _loading.load_by_name(network, tensors, source, with_head=classes == rows.classes)
        return started.model_copy(update={"fingerprint": file.fingerprint, "license": _license_of(member)})

    def _folder(self) -> Path:
        """The folder with the model's files."""
        if self.run is None:
            raise DataError("Which run? Name its folder with --set transfer.run=FOLDER.")
        folder = Path(self.run)
        folder = folder / "model" if (folder / "model" / DESCRIPTION).is_file() else folder
        if not (folder / DESCRIPTION).is_file() or not (folder / WEIGHTS).is_file():
            raise DataError(f"{self.run} holds no rarebird model; transfer.run names the folder of a run or its model.")
        return folder


def _json(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > LARGEST_JSON:
            raise DataError(f"{path} is larger than any that this package writes.")
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{path} cannot be read: {str(error).splitlines()[0][:200]}") from None
    return content if isinstance(content, dict) else {}


def _license_of(member: dict[str, Any]) -> str | None:
    """The licence of the weights that the other model itself began with."""
    said = (member.get("started") or {}).get("license")
    return said if isinstance(said, str) else None
