"""Methods and parts of reference."""
