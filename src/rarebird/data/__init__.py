"""Rows in memory: data sets, how they are split, prepared for a network and fingerprinted."""
