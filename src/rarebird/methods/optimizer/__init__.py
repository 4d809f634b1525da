"""Methods and parts of optimizer."""
