"""Methods and parts of readers."""
