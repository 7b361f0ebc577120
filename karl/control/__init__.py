"""What an interface may do besides reading the store: start and stop runs, edit graphs and prompts, ask, check.

The only part of `karl` that `tui` imports. Nothing here draws or loads a model into the caller's process.
"""
