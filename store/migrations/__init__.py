"""Schema history of the store. A change to `store.models` needs a file here and a new `store.session.HEAD`."""
