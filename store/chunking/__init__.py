"""From whole texts to chunks: a policy says how documents are cut, `cut` does it. Knows readers, no database."""
