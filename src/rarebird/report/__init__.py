"""Methods and parts of report."""
