"""The embedded policy's words for FogBench: same names, same sentences, same titles of notes."""

from __future__ import annotations

from evals.fog.vocabulary import Vocabulary
from karl.tiny import names
from karl.tiny.world import SENTENCES

# FogBench states every relation from the side that has one value: a team has one leader.
TURNED = {"leads": "led_by", "builds": "built_by", "manages": "managed_by"}


def small_vocabulary() -> Vocabulary:
    sentences: dict[str, tuple[str, ...]] = {}
    titles: dict[str, str] = {}
    for relation, (sentence, title) in SENTENCES.items():
        turned = TURNED.get(relation)
        subject, object_ = ("{o}", "{s}") if turned else ("{s}", "{o}")
        sentences[turned or relation] = (sentence.format(subject=subject, object=object_),)
        titles[turned or relation] = title
    pools = {
        "first": names.FIRST,
        "last": names.LAST,
        "teams": names.TEAMS,
        "products": names.PRODUCTS,
        "customers": names.CUSTOMERS,
        "cities": names.CITIES,
        "concerns": names.CONCERNS,
        "years": names.YEARS,
    }
    return Vocabulary({kind: tuple(pool) for kind, pool in pools.items()}, sentences, titles)
