"""Methods and parts of remedies."""
