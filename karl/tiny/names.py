"""Pools of names that generated companies draw from. Made up or common; no real company is meant."""

from __future__ import annotations

import random


def _words(text: str) -> list[str]:
    return text.split()


FIRST = _words(
    """
    Mira Tomas Ines Jonas Petra Olga Ravi Hana Luis Nora Felix Aiko Bram Celia Dario Edda Farid Greta Hugo
    Ilse Jana Karim Lena Marco Nadia Omar Paula Quinn Rosa Stefan Tessa Umar Vera Wim Xenia Yusuf Zoe Arlo
    Bianca Carl Dora Emil Fiona Goran Heidi Ivan Julia Kai
    """
)

LAST = _words(
    """
    Holt Varga Silva Brandt Kovac Lind Mehta Sato Romero Falk Weiss Tanaka Visser Duarte Conti Berg Haddad
    Keller Novak Sommer Petrov Rahman Olsen Ricci Aziz Nasser Moreau Baker Costa Hahn Frey Malik Winter
    Janssen Popov Demir Stone Reyes Lopez Adler Fuchs Yilmaz Hart Babic Roth Sokol Meyer Chen
    """
)

TEAMS = _words(
    """
    Atlas Birch Cedar Delta Ember Falcon Glacier Harbor Indigo Juniper Kestrel Lagoon Maple Nebula Onyx
    Prairie Quartz Raven Summit Tundra Umbra Violet Willow Zephyr Aspen Basalt Coral Dune Echo Fjord
    Garnet Heron Ivory Jasper Koala Lotus Meadow Nectar Otter Pebble
    """
)

PRODUCTS = _words(
    """
    Orion Beacon Cobalt Drift Elio Fable Gauge Helix Iris Jetty Krypton Lumen Mosaic Nimbus Opal Pivot Quill
    Relay Sonar Tempo Unity Vertex Wave Xylo Yarrow Zenith Anchor Bridge Cipher Dynamo
    Engine Fusion Grid Hammer Insight Journal Keystone Ledger Matrix Notion
    """
)

CUSTOMERS = _words(
    """
    Vantor Lumora Brexel Cortana Delvio Estron Fenwick Gralto Hexion Iverna Jorvik Kelmar Lintra Morvane
    Nexora Ostara Pellion Quorra Rivenna Solvik Tarsus Ultima Velmora Wexford Xandria Yorvale Zantis Altera
    Borealis Calyx Dravon Elmira Fostra Gavron Halden Istria Jansel Korvex Lorvan Mirelle Novalis Orvane
    Pramix Quintar Rosvik Sandor Trevika Umbrel Valtris Wolmar Xerion Yelden Zorvia Ardent Belcor Corvia
    Dantis Everlo Fulmar Gentry Harwell Ilmara Jovian Kestria Lathem Mondral Norvik Oxbury Palmera Questor
    Rudwick Selvane Tolmar Urbina Vasquel Westria Xylia Yarmont Zeltis Almadine Brentor Corwyn Dorsal Elquist
    Farlow Glendor Hestia Irvane Joltec Kandor Lysandra Marbeck Nautica Osprey Pentara Redmont
    """
)

CITIES = _words(
    """
    Porto Lyon Turin Ghent Malmo Cork Basel Graz Bilbao Gdansk Bergen Leeds Nantes Parma Riga Split Tartu
    Utrecht Vilnius Zagreb Bremen Cadiz Dresden Essen Faro Geneva Hull Izmir Jaen Krakow Lodz Metz Nimes Oulu
    Pisa Rennes Siena Turku Ulm Verona
    """
)

CONCERNS = _words(
    """
    billing latency security onboarding pricing support outages exports permissions reporting training
    migration backups search alerts contracts
    """
)

MONTHS = _words(
    """
    January February March April May June July August September October November December
    """
)
YEARS = ["2019", "2020", "2021", "2022", "2023", "2024", "2025"]

_ONSETS = _words("b br c d dr f g gr h j k l m n p pr r s st t tr v z")
_VOWELS = _words("a e i o u ai ea io")
_CODAS = ["", "l", "n", "r", "s", "x", "nd", "rk", "th", "m"]


def invented_name(rng: random.Random) -> str:
    """A name of two or three syllables that is in no pool: it reaches the policy in pieces."""
    syllables = [rng.choice(_ONSETS) + rng.choice(_VOWELS) + rng.choice(_CODAS) for _ in range(rng.choice([2, 2, 3]))]
    return "".join(syllables).capitalize()
