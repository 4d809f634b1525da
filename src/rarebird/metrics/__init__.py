"""Figures as plain functions of labels, probabilities or values; their names and their 95 % intervals."""
