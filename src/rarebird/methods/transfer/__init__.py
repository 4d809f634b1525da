"""Methods and parts of transfer."""
