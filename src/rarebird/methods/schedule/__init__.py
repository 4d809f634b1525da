"""Methods and parts of schedule."""
