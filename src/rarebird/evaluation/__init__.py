"""Held-out predictions of trained models, their calibration and decision, and scores with intervals."""
