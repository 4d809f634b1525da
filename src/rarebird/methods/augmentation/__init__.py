"""Methods and parts of augmentation."""
