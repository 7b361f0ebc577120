"""Plots as inline SVG, written by hand: no script, no font, colours from the page's own variables."""
