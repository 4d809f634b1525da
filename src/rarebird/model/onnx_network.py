"""A network that is an ONNX file, such as a quantized one, computed by onnxruntime in place of torch."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from rarebird.core.checks import UnavailableError, require
from rarebird.data.spec import InputSpec

if TYPE_CHECKING:
    from rarebird.slots.protocols import Inputs

# Operators of ONNX itself and onnxruntime's quantized ones; a file that uses others is refused.
DOMAINS = ("", "ai.onnx", "com.microsoft")
PACKAGES = ("onnx", "onnxscript", "onnxruntime")


class OnnxNetwork(nn.Module):
    """``forward(x: Inputs) -> logits (batch, n_outputs)``, on the CPU; it has no parameters and cannot be trained.

    Args:
        content: The ONNX file's bytes.
    """

    def __init__(self, content: bytes) -> None:
        super().__init__()
        self.content = content
        self._sessions: dict[int, Any] = {}

    def forward(self, x: Inputs) -> Tensor:
        session = self._session()
        wanted = [one.name for one in session.get_inputs()]
        given = {name: np.ascontiguousarray(x[name].detach().cpu().numpy()) for name in wanted}
        (logits,) = session.run(None, given)
        return torch.from_numpy(logits)

    def to_onnx(self) -> bytes:
        """The ONNX file's bytes."""
        return self.content

    def _session(self) -> Any:
        """onnxruntime's session for torch's present number of threads."""
        threads = torch.get_num_threads()
        if threads not in self._sessions:
            runtime = required_package("onnxruntime")
            options = runtime.SessionOptions()
            options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
            # Waiting threads that are busy take the time of others.
            options.add_session_config_entry("session.intra_op.allow_spinning", "0" if threads == 1 else "1")
            self._sessions[threads] = runtime.InferenceSession(self.content, options, ["CPUExecutionProvider"])
        return self._sessions[threads]

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_sessions": {}}


def required_package(name: str) -> Any:
    """One of the packages of the extra `export`.

    Raises:
        UnavailableError: It is not installed.
    """
    try:
        return import_module(name)
    except ImportError:
        raise UnavailableError(
            f"ONNX files need the package {name}, which is not installed; install the extra: "
            "pip install 'rarebird[export]'."
        ) from None


def checked_network(content: bytes, spec: InputSpec) -> OnnxNetwork:
    """A network from an ONNX file of unknown origin.

    Raises:
        ValueError: The file is no ONNX file, is not self-contained, or is a network for other data.
    """
    onnx = required_package("onnx")
    try:
        proto = onnx.load_model_from_string(content)
    except Exception as error:
        raise ValueError(f"the ONNX file cannot be read: {str(error).splitlines()[0][:100]}") from None
    domains = sorted({node.domain for node in proto.graph.node} - set(DOMAINS))
    require(not domains, "operators are ONNX's own", domains=domains[:3])
    tensors = [*proto.graph.initializer, *(one.t for node in proto.graph.node for one in node.attribute)]
    outside = any(one.data_location == onnx.TensorProto.EXTERNAL or one.external_data for one in tensors)
    require(not outside, "an ONNX file holds all of its weights", tensors=len(tensors))
    network = OnnxNetwork(content)
    try:
        with torch.inference_mode():
            logits = network(zeros(spec, 2))
    except Exception as error:
        raise ValueError(f"the ONNX file does not predict rows of this model: {str(error)[:100]}") from None
    require(tuple(logits.shape) == (2, spec.n_outputs), "one output per class", outputs=tuple(logits.shape))
    return network


def zeros(spec: InputSpec, rows: int) -> Inputs:
    """Prepared rows of zeros, of the shapes of `spec`."""
    if spec.kind == "image":
        return {"pixels": torch.zeros(rows, spec.channels, spec.height, spec.width)}
    if spec.kind == "series":
        lengths = torch.full((rows,), spec.length)
        return {"values": torch.zeros(rows, spec.channels, spec.length), "lengths": lengths}
    numbers = torch.zeros(rows, spec.n_numbers)
    categories = torch.zeros(rows, len(spec.cardinalities), dtype=torch.int64)
    return {"numbers": numbers, "missing": numbers.clone(), "categories": categories}
