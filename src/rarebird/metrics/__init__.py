"""Methods and parts of metrics."""
