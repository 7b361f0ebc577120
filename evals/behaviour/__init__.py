"""What rollouts do, not only what they score: behaviour classes, evidence, transitions between two runs."""

from evals.behaviour.classes import Behaviour, BehaviourClass, Rules, classify
from evals.behaviour.evidence import Recall, Retrieved, recall_figures, recall_of, unique_by_turn, unique_curve
from evals.behaviour.features import Features, features_of
from evals.behaviour.profile import Profile
from evals.behaviour.reading import trajectory_of
from evals.behaviour.trajectory import Certainty, Finish, Limits, Proposal, Search, Trajectory
from evals.behaviour.transitions import Moved, PassState, Transitions, state_of, transitions
from evals.behaviour.words import Reader, WordReader

__all__ = [
    "Behaviour",
    "BehaviourClass",
    "Certainty",
    "Features",
    "Finish",
    "Limits",
    "Moved",
    "PassState",
    "Profile",
    "Proposal",
    "Reader",
    "Recall",
    "Retrieved",
    "Rules",
    "Search",
    "Trajectory",
    "Transitions",
    "WordReader",
    "classify",
    "features_of",
    "recall_figures",
    "recall_of",
    "state_of",
    "trajectory_of",
    "transitions",
    "unique_by_turn",
    "unique_curve",
]
