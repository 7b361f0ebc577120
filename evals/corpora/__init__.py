"""The corpora of the tasks: written as `karl ingest` reads them, one given chunk a line."""
