"""The parts of a report, each a function from what was measured to blocks."""
