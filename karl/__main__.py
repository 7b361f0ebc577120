"""`python -m karl`: the command line, for where the script `karl` is not on the path."""

from __future__ import annotations

from karl.cli import main

if __name__ == "__main__":
    main()
