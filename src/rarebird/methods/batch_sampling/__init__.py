"""Methods and parts of batch sampling."""
