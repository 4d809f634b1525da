"""Methods and parts of training."""
