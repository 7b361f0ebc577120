"""FogBench: generated companies that exercise all six regimes with exact ground truth, at any size and difficulty."""
