"""What holds for all tests."""

from __future__ import annotations

from hypothesis import settings

# A busy machine is no fault of the code: no example is measured by the clock.
settings.register_profile("karl", deadline=None)
settings.load_profile("karl")
