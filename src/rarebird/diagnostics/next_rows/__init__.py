"""`rarebird next`: which unlabeled rows to label next, and how many more rows of which class would help."""
