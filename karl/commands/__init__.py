"""One file per command of the CLI: parse, call, print. No logic of its own."""
