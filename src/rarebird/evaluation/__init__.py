"""What a recipe is worth on training rows, and whether one is better than another."""
