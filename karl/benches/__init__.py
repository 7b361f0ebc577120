"""Benches: every figure that the project claims comes out of one of them, as JSON."""
