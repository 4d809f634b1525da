"""Arguments, seeds, wall-clock, progress and files: what every package may use; it imports nothing of rarebird."""
