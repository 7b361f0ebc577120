"""A package, so that `tests.store` never hides `store` (nor `tests.agents` `agents`) on the import path."""
