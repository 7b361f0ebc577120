"""Graphs and prompts, for whoever edits them: listed, checked as they are typed, drawn, previewed, compared, saved.

Everything here reads files and may take a moment: call it from a thread. Nothing loads a model, and what reads graphs
and prompts is imported when it is first called: an interface opens at once.
"""

from karl.control.workshop.diagrams import Diagram, NodeBox, draw
from karl.control.workshop.drafts import Draft, opened, text_on_disk
from karl.control.workshop.looking import Looked, look
from karl.control.workshop.marks import Mark, check
from karl.control.workshop.pieces import Kind, Piece, Shelf, ShelfReader
from karl.control.workshop.preview import Preview, preview
from karl.control.workshop.saving import ChangedOnDisk, FolderOffer, make_folder, offer, save
from karl.control.workshop.session import TrialSession
from karl.control.workshop.trial import Scratch, Trial, trial_of
from karl.control.workshop.variables import Facts, Variable, typed, variables_of

__all__ = [
    "ChangedOnDisk",
    "Diagram",
    "Draft",
    "Facts",
    "FolderOffer",
    "Kind",
    "Looked",
    "Mark",
    "NodeBox",
    "Piece",
    "Preview",
    "Scratch",
    "Shelf",
    "ShelfReader",
    "Trial",
    "TrialSession",
    "Variable",
    "check",
    "draw",
    "look",
    "make_folder",
    "offer",
    "opened",
    "preview",
    "save",
    "text_on_disk",
    "trial_of",
    "typed",
    "variables_of",
]
