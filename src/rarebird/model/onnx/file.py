"""Writes a model as an ONNX file, with what it needs to know of raw rows beside it, and checks it against the model."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from rarebird.core.atomic_files import whole_file
from rarebird.core.checks import DataError
from rarebird.core.version import VERSION
from rarebird.data.dataset import Dataset
from rarebird.model.conformal import n_units, rows_needed
from rarebird.model.coverage import intervals, sets
from rarebird.model.held_out_rows import HeldOutRows
from rarebird.model.model import Member, Model
from rarebird.model.onnx.graph import ModelGraph
from rarebird.model.onnx.interval_table import interval_table
from rarebird.model.onnx.joining import joined_graph
from rarebird.model.onnx.preparation import raw_columns
from rarebird.model.onnx.set_table import set_table
from rarebird.model.onnx.torch_export import graph_of
from rarebird.model.onnx_network import PACKAGES, OnnxNetwork, required_package
from rarebird.slots.stored_modules import ArrayModule, TextModule
from rarebird.slots.tree_ensembles import TreeModule

Layout = Literal["nchw", "nhwc"]
# The key of the description in the file's metadata; the loaders read it.
KEY = "rarebird"
LOADERS = Path(__file__).with_name("loaders")
# The line by which a loader has what all kinds share; a written loader has the functions themselves.
SHARED = "\n\nfrom rarebird.model.onnx.loaders.outputs import named"
# The coverage at which prediction sets and intervals of file and model are compared.
COVERAGE = 0.9


@dataclass(frozen=True)
class Agreement:
    """How far an exported file agrees with its model on rows.

    Attributes:
        rows: The number of rows.
        difference: The largest difference of a probability; for regression of a value, in units of the target's spread.
        labels: The share of the rows that get the same label; None where the file gives none.
        sets: The share of the rows that get the same prediction set at a coverage of `COVERAGE`; None where the model
            keeps no held-out rows.
        intervals: For regression, the largest difference of an end of the intervals with that coverage, in units of the
            target's spread; None where the model keeps too few held-out rows.
    """

    rows: int
    difference: float
    labels: float | None = None
    sets: float | None = None
    intervals: float | None = None


def write_onnx(model: Model, path: Path, layout: Layout = "nchw") -> dict[str, Any]:
    """Write ``path`` (the model), ``path.json`` (its description) and ``path.py`` (a loader).

    Args:
        model: What to export.
        path: Ends with ``.onnx``.
        layout: Axes of pictures.

    Returns:
        The description.

    Raises:
        DataError: The model cannot be exported; the message has the reason.
        UnavailableError: The packages for the export are not installed.
    """
    for name in PACKAGES:
        required_package(name)
    _check(model)
    model = replace(model, device="cpu", members=[_on_cpu(member) for member in model.members])
    about = describe(model, layout)
    inputs = _example(model, about)
    graph = ModelGraph(model, about.get("columns", ()), list(inputs), layout == "nhwc")
    about["outputs"] = graph.outputs
    proto = _proto(graph, inputs)
    entry = proto.metadata_props.add()
    entry.key, entry.value = KEY, json.dumps(about, ensure_ascii=False, allow_nan=False)
    with whole_file(path) as building:
        building.write_bytes(proto.SerializeToString())
    with whole_file(path.with_suffix(".json")) as building:
        building.write_text(json.dumps(about, indent=1, ensure_ascii=False, allow_nan=False), encoding="utf-8")
    with whole_file(path.with_suffix(".py")) as building:
        building.write_text(loader_text(model.spec.kind), encoding="utf-8")
    return about


def loader_text(kind: str) -> str:
    """The loader of a kind as it is written beside a file: it imports neither rarebird nor torch."""
    own, shared = ((LOADERS / f"{name}.py").read_text(encoding="utf-8") for name in (kind, "outputs"))
    functions = shared[shared.index("\n\n\ndef ") :].rstrip("\n")
    return own.replace(SHARED, functions, 1)


def describe(model: Model, layout: Layout) -> dict[str, Any]:
    """What a user of the exported file needs to know, as plain values."""
    spec = model.spec
    inputs: dict[str, Any] = {}
    if spec.kind == "image":
        inputs = {"channels": spec.channels, "height": spec.height, "width": spec.width, "layout": layout}
    elif spec.kind == "series":
        inputs = {"channels": spec.channels, "length": spec.length}
    else:
        inputs = {"columns": raw_columns([member.prepared for member in model.members])}
    decision = None if model.decision is None else {"name": model.decision[0], **_plain(model.decision[1])}
    held = model.held_out
    return {
        "format": "rarebird onnx",
        "version": 1,
        "rarebird": VERSION,
        "kind": spec.kind,
        "task": spec.task,
        "target": model.target,
        "classes": list(model.classes),
        "positive": model.positive,
        "prior": model.prior.tolist(),
        "decision": decision,
        **_coverage_tables(held, bool(model.classes)),
        **inputs,
    }


def _coverage_tables(held: HeldOutRows | None, is_classes: bool) -> dict[str, Any]:
    """What prediction sets or intervals are made of."""
    if held is None or not len(held):
        return {}
    return {"sets": set_table(held)} if is_classes else {"intervals": interval_table(held)}


def agreement(model: Model, path: Path, rows: Dataset, layout: Layout = "nchw") -> Agreement:
    """Compare an exported file with its model on rows, which go through the loader as a user's rows do."""
    promises = _promises(model)
    found = _loader(path)(str(path), *_as_given(rows, layout), coverage=COVERAGE if promises else None)
    each = model.member_outputs(rows)
    expected = model.mean_of(each)
    if not model.classes:
        spread = model.members[0].prepared.target_scale
        ends = np.abs(found["interval"] - intervals(model, each, COVERAGE)).max() / spread if promises else None
        difference = float(np.abs(found["value"] - expected[:, 0]).max() / spread)
        return Agreement(len(rows), difference, intervals=None if ends is None else float(ends))
    difference = float(np.abs(found["probabilities"] - expected).max())
    names, same_labels, same_sets = np.array(model.classes), None, None
    if "label" in found:
        same_labels = float((found["label"] == names[model.labels(expected)]).mean())
    if promises:
        own = [names[row].tolist() for row in sets(model, each, COVERAGE).members]
        same_sets = float(np.mean([one == other for one, other in zip(found["set"], own, strict=True)]))
    return Agreement(len(rows), difference, same_labels, same_sets)


def _promises(model: Model) -> bool:
    """Whether the model has enough held-out rows for sets or intervals with `COVERAGE`."""
    held = model.held_out
    if held is None or not len(held):
        return False
    return bool(model.classes) or n_units(held, np.ones(len(held), dtype=bool)) >= rows_needed(COVERAGE)


def _loader(path: Path) -> Any:
    """The function `predict` of the loader beside a file."""
    spec = spec_from_file_location("rarebird_loader", path.with_suffix(".py"))
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.predict


def _proto(graph: ModelGraph, inputs: dict[str, torch.Tensor]) -> Any:
    if not any(isinstance(member.network, OnnxNetwork | TreeModule) for member in graph.members):
        return graph_of(graph, inputs, graph.outputs)
    return joined_graph(graph, inputs)


def _example(model: Model, about: dict[str, Any]) -> dict[str, torch.Tensor]:
    """Two made rows, as the graph takes them."""
    spec = model.spec
    if spec.kind == "image":
        sides = (spec.channels, spec.height, spec.width)
        sides = sides if about["layout"] == "nchw" else (*sides[1:], sides[0])
        return {"pixels": torch.zeros(2, *sides, dtype=torch.uint8)}
    if spec.kind == "series":
        return {"values": torch.zeros(2, spec.channels, spec.length), "lengths": torch.tensor([spec.length] * 2)}
    width = {"number": 1, "date": 4, "category": 0}
    numbers = sum(width[column["role"]] for column in about["columns"])
    categories = sum(column["role"] == "category" for column in about["columns"])
    given = {"numbers": torch.zeros(2, numbers, dtype=torch.float64)} if numbers else {}
    return given | ({"categories": torch.zeros(2, categories, dtype=torch.int64)} if categories else {})


def _as_given(rows: Dataset, layout: Layout) -> tuple[Any, ...]:
    """Rows as a user has them, for the loader of their kind."""
    raw = rows.raw()
    if rows.kind == "image":
        return (np.asarray(raw) if layout == "nchw" else np.ascontiguousarray(np.moveaxis(raw, 1, 3)),)
    if rows.kind == "series":
        return tuple(raw)
    return ({name: raw[name].astype(object).where(raw[name].notna(), None).tolist() for name in raw.columns},)


def _check(model: Model) -> None:
    """Refuse what an exported file cannot hold.

    Raises:
        DataError: It cannot.
    """
    networks = [member.network for member in model.members]
    if any(isinstance(one, TextModule | ArrayModule) and not isinstance(one, TreeModule) for one in networks):
        raise DataError(
            "This model reads its training rows for each prediction (in_context), which is not exported to ONNX; "
            "distil it to a network first: rarebird compress MODEL --steps distill."
        )
    for one in networks:
        if isinstance(one, TreeModule):
            one.tree_ensemble()  # refuses what cannot be exported, before the long work
    if any(member.views for member in model.members):
        raise DataError(
            "This model averages augmented views of each row (test_time_views), which an ONNX file cannot do; train it "
            "with --set test_time_views=0."
        )


def _on_cpu(member: Member) -> Member:
    return replace(member, network=member.network.cpu().eval())


def _plain(fitted: object) -> dict[str, Any]:
    dump = getattr(fitted, "model_dump", None)
    return {} if dump is None else dump(mode="json")
