"""Methods and parts of loss."""
