"""Figures as SVG text, from plain coordinates."""
