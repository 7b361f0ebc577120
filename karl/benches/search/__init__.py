"""`karl bench search`: how fast, how exact, how large, how incremental is the embedded index?"""

from __future__ import annotations

from karl.benches.search.bench import SearchOptions, search_bench

__all__ = ["SearchOptions", "search_bench"]
