"""Methods and parts of network."""
