"""`rarebird compare`: each remedy beside the same baseline on the same splits."""
