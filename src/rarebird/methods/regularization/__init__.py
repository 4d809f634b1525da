"""Methods and parts of regularization."""
