"""`rarebird compare`: each remedy is compared with the same baseline on the same splits."""
