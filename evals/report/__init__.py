"""What an evaluation leaves behind: the document, and the figures in it."""
