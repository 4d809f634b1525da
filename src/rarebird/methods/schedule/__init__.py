"""Methods of the slot `schedule`: how the learning rate changes in the course of a training."""
