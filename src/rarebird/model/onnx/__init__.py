"""A model as one ONNX file: raw rows in, natural-prior probabilities and the decided class out."""
