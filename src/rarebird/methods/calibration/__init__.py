"""Methods of the slot `calibration`: maps of the logits that make probabilities match observed frequencies."""
