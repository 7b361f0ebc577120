"""The classes of search behaviour by name."""

from __future__ import annotations


def behaviour_classes() -> tuple[str, ...]:
    """In the order of their priority."""
    from evals.behaviour.classes import BehaviourClass

    return tuple(str(kind) for kind in BehaviourClass)
