"""Methods and parts of synthesis."""
