"""The Python API: `load_graph` makes a `Graph`, a `Graph` makes `Answer`s. Users import all of it from `karl`."""
