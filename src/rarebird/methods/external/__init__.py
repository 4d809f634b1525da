"""Methods and parts of external rows."""
