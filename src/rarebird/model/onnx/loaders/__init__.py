"""Loaders that are written beside an exported model; they need numpy and onnxruntime alone."""
