"""Methods and parts of calibration."""
