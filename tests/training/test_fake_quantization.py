"""Quantization-aware training: the rounding, its gradients and ranges, and the int8 file that computes the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from rarebird.compression.quantization import rounded_twin
from rarebird.core.checks import DataError
from rarebird.data.dataset import Dataset
from rarebird.recipe.recipe import Recipe
from rarebird.training.batches import ready
from rarebird.training.device import Placement
from rarebird.training.fake_quantization import ValueRange, fake_quantization, on_grid, rounded_weights
from rarebird.training.inference import logits
from rarebird.training.network_trainer import NetworkTrainer
from rarebird.training.trainer import Trained, TrainingPlan
from tests.model.onnx.test_file import pictures, table

pytestmark = pytest.mark.xdist_group("onnx")


def test_values_are_rounded_to_the_grid_of_torch_and_gradients_pass() -> None:
    known = ValueRange(torch.tensor(-1.0), torch.tensor(3.0))
    values = torch.linspace(-2, 4, 601, requires_grad=True)
    rounded = on_grid(values, known)
    scale, zero = known.grid()
    expected = torch.fake_quantize_per_tensor_affine(values.detach(), float(scale), int(zero), 0, 255)
    torch.testing.assert_close(rounded.detach(), expected, atol=1e-6, rtol=0)
    assert len(rounded.unique()) == 256
    rounded.sum().backward()
    inside = (values.detach() > expected.min()) & (values.detach() < expected.max())
    torch.testing.assert_close(values.grad, inside.float())


def test_weights_have_a_scale_per_channel() -> None:
    sizes = torch.tensor([1e-4, 1, 0, 9, 1])[:, None, None]
    weight = torch.randn(5, 3, 2, generator=torch.Generator().manual_seed(0)) * sizes
    weight.requires_grad_()
    rounded = rounded_weights(weight)
    largest = weight.detach().abs().amax(dim=(1, 2), keepdim=True)
    assert bool(((rounded - weight).detach().abs() <= largest / 127 / 2 + 1e-9).all())
    torch.testing.assert_close(rounded.detach().abs().amax(dim=(1, 2)), largest[:, 0, 0])
    rounded.sum().backward()
    torch.testing.assert_close(weight.grad, torch.ones_like(weight))


def trained(rows: Dataset, kind: str, **settings: Any) -> Trained:
    plain = {"kind": kind, "steps": 40, "batch_size": 32, "threads": 1, "precision": "float32"}
    recipe = Recipe(**(plain | settings), stages="quantization_aware")
    trainer = NetworkTrainer(recipe, rows, rows.take(np.arange(0)), 0, "cpu")
    return trainer.run(TrainingPlan(trainer.plan(None, 1)), lambda share: False)


def rounded_logits(result: Trained, rows: Dataset) -> Tensor:
    """What the network computes while its layers are rounded."""
    quantization = fake_quantization(result.network)
    quantization.learns = False
    with torch.no_grad(), quantization():
        return result.network(ready(result.prepared.inputs(rows), Placement()))  # type: ignore[no-any-return]


CASES: list[tuple[str, Dataset, dict[str, Any], int]] = [
    # Batch normalization, ReLU and pooling behind convolutions; sums of branches; products of matrices.
    ("image", pictures(90), {"network": {"name": "cnn", "width": 8, "dense": 32}}, 5),
    ("image", pictures(90), {"network": {"name": "resnet", "width": 4}}, 10),
    ("table", table(90), {"network": {"name": "transformer", "depth": 1, "heads": 2}}, 5),
]


@pytest.mark.parametrize(("kind", "rows", "settings", "layers"), CASES, ids=["cnn", "resnet", "transformer"])
def test_the_int8_file_computes_what_was_trained(
    kind: str, rows: Dataset, settings: dict[str, Any], layers: int
) -> None:
    result = trained(rows, kind, **settings)
    twin = rounded_twin(result.network, result.prepared)
    asked = rounded_logits(result, rows).numpy()
    given, exact = logits(twin, result.prepared.inputs(rows)), logits(result.network, result.prepared.inputs(rows))
    distance = np.abs(given - asked)
    # Rounding is seen, and a value on the border of two codes may fall to either side.
    assert np.abs(asked - exact).max() > 5 * distance.mean()
    assert distance.max() < 0.05 * (exact.max() - exact.min())
    names = [node.op_type for node in onnx_nodes(twin)]
    assert sum(names.count(one) for one in ("Conv", "Gemm", "MatMul")) >= layers
    assert names.count("DequantizeLinear") >= 2 * layers


def onnx_nodes(twin: Any) -> list[Any]:
    onnx = pytest.importorskip("onnx")
    return list(onnx.load_model_from_string(twin.to_onnx()).graph.node)


def test_blocks_cannot_be_computed_twice_while_they_are_rounded() -> None:
    rows = table(30)
    recipe = Recipe(kind="table", network="transformer", stages="quantization_aware", activation_checkpointing=True)
    with pytest.raises(DataError, match="leave out one of the two"):
        NetworkTrainer(recipe, rows, rows.take(np.arange(0)), 0, "cpu").training(Placement())
