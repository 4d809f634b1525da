"""Methods and parts of data."""
