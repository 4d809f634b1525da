"""Int8 twins predict nearly what the network predicts, are saved as files that are checked, and load as they were."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from rarebird.compression.quantization import Float32Twin, in_half_precision
from rarebird.core.checks import DataError
from rarebird.data import prepare
from rarebird.data.dataset import Dataset
from rarebird.model.onnx_network import OnnxNetwork, checked_network, zeros
from rarebird.slots import methods
from rarebird.training import inference
from rarebird.training.device import threads
from rarebird.training.inference import logits
from tests.model.onnx.test_file import pictures, table

pytestmark = pytest.mark.xdist_group("onnx")


def network_of(rows: Dataset, **settings: object) -> tuple[nn.Module, prepare.Prepared]:
    torch.manual_seed(0)
    prepared, _ = prepare.fit(rows)
    return methods.build("network", settings).build(prepared.spec).eval(), prepared  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("rows", "settings", "way"),
    [
        (pictures(90), {"name": "cnn", "width": 8, "dense": 32}, "static"),
        (table(90), {"name": "mlp", "width": 64, "depth": 2}, "static"),
    ],
)
def test_int8_is_smaller_and_near(rows: Dataset, settings: dict[str, object], way: str) -> None:
    network, prepared = network_of(rows, **settings)
    twin = Float32Twin(network, prepared, rows)
    assert twin.way == way
    quantized, inputs = twin.int8(), prepared.inputs(rows)
    exact, near = logits(network, inputs), logits(quantized, inputs)
    assert 0 < np.abs(near - exact).max() < 0.1 * max(1.0, np.abs(exact).max())
    assert np.corrcoef(near.ravel(), exact.ravel())[0, 1] > 0.99


def test_layers_can_stay_in_float32() -> None:
    network, prepared = network_of(pictures(30), name="cnn", width=8, dense=32)
    twin, inputs = Float32Twin(network, prepared, pictures(30)), prepared.inputs(pictures(60, seed=1))
    exact = logits(network, inputs)
    errors = [np.abs(logits(twin.int8(kept), inputs) - exact).max() for kept in ((), twin.layers)]
    assert errors[1] < 1e-5 < errors[0]


def test_from_one_convolution_to_the_next_nothing_is_float32() -> None:
    network, prepared = network_of(pictures(60), name="resnet", width=8)
    twin = Float32Twin(network, prepared, pictures(60))
    exact, near = (logits(one, prepared.inputs(pictures(60, seed=1))) for one in (network, twin.int8()))
    assert np.corrcoef(near.ravel(), exact.ravel())[0, 1] > 0.98
    graph = onnx.load_model_from_string(twin.int8().to_onnx()).graph
    maker = {name: node.op_type for node in graph.node for name in node.output}
    between = [node for node in graph.node if node.op_type in ("Add", "Conv", "Relu", "MaxPool")]
    assert sum(node.op_type == "Add" for node in between) == 3
    assert all(maker.get(name) == "DequantizeLinear" for node in between for name in node.input)


def test_rows_are_made_ready_by_one_thread_and_the_network_has_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """torch's threads stay busy after their work; onnxruntime's would wait for them, three times as long as they
    compute."""
    network, prepared = network_of(table(30), name="mlp", width=8, depth=1)
    quantized, counts = Float32Twin(network, prepared, table(30)).int8(), []
    make, session = inference.ready, OnnxNetwork._session
    monkeypatch.setattr(inference, "ready", lambda *given: counts.append(torch.get_num_threads()) or make(*given))
    monkeypatch.setattr(OnnxNetwork, "_session", lambda own: counts.append(torch.get_num_threads()) or session(own))
    with threads(2):
        logits(quantized, prepared.inputs(table(30)))
        logits(network, prepared.inputs(table(30)))
    assert counts == [1, 2, 2]


def test_half_precision_halves_the_file_and_computes_what_it_saves() -> None:
    network, _ = network_of(table(30), name="mlp", width=16)
    half = in_half_precision(network, "bfloat16")
    for before, after in zip(network.parameters(), half.parameters(), strict=True):
        torch.testing.assert_close(after, before.to(torch.bfloat16).float(), atol=0, rtol=0)
    with torch.no_grad():
        network.head.weight.fill_(1e9)  # type: ignore[union-attr,operator]
    with pytest.raises(DataError, match="too large for float16"):
        in_half_precision(network, "float16")


def test_a_file_of_unknown_origin_is_checked(tmp_path: Path) -> None:
    rows = table(30)
    network, prepared = network_of(rows, name="mlp", width=8, depth=1)
    content = Float32Twin(network, prepared, rows).int8().to_onnx()
    loaded = checked_network(content, prepared.spec)
    assert isinstance(loaded, OnnxNetwork)
    assert loaded(zeros(prepared.spec, 3)).shape == (3, 3)
    other = prepared.spec.model_copy(update={"n_outputs": 4})
    for broken, message in (
        (content[: len(content) // 2], "cannot be read|does not predict"),
        (b"", "does not predict|cannot be read"),
        (b"PK\x03\x04 no model", "cannot be read|does not predict"),
    ):
        with pytest.raises(ValueError, match=message):
            checked_network(broken, prepared.spec)
    with pytest.raises(ValueError, match="one output per class"):
        checked_network(content, other)
