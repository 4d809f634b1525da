"""A run on rows: split, train, calibrate, decide, score."""
