"""Methods of the slot `loss`: what a network minimizes on each row."""
