"""The same question to several systems side by side, a vote, a scoreboard: in the terminal and as a local page."""
