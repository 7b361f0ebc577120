"""Reading public data sets: rows with errors that name file, line and key, and what else several tasks share."""
