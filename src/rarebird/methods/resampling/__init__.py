"""Methods and parts of resampling."""
