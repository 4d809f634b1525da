"""Methods and parts of head."""
