"""Runs in the tools that people watch them with: a log of events, TensorBoard, MLflow."""
