"""Methods and parts of external."""
