"""Which kind of question a generated company is asked, told by the wording alone: the policy words its own."""

from __future__ import annotations

import re

# Each matches all questions of its kind in `karl.tiny.world` and none of another.
PATTERNS: dict[str, str] = {
    "team_leader": r"^Who leads the (?!team that ).+ team\?$",
    "home": r"^Where does (?!the ).+ live\?$",
    "concern": r"^What concern did .+ raise\?$",
    "product_used": r"^Which product does .+ use\?$",
    "manager_home": r"^Where does the person who looks after .+ live\?$",
    "product_launch": r"^When did the product that .+ uses launch\?$",
    "product_leader": r"^Who leads the team that builds (?!the product that ).+\?$",
    "product_office": r"^Where does the team that builds (?!the product that ).+ sit\?$",
    "user_leader": r"^Who leads the team that builds the product that .+ uses\?$",
    "user_office": r"^Where does the team that builds the product that .+ uses sit\?$",
    "product_users": r"^Which customers use .+\?$",
}
# One with each number of hops. Their single facts occur in other kinds: what is new is how they are put together.
UNSEEN = ("team_leader", "product_office", "user_leader")


def kind_of(question: str) -> str | None:
    """None for a question that is worded like none of them."""
    return next((kind for kind, pattern in PATTERNS.items() if re.search(pattern, question)), None)
