"""The product on one page: split, train, calibrate, decide, score."""
