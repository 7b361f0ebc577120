"""Pools of the full vocabulary. Made up or common; no real company or person is meant."""

from __future__ import annotations

import random


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


FIRST = _words(
    """
    Adela Anton Beate Boris Clara Cyril Daria Denis Elena Erik Flora Frank Gemma Georg Hilda Henry Irma Igor Josef
    Judith Klara Konrad Laura Leon Magda Martin Nina Oskar Olivia Pavel Regina Robert Sabine Simon Tamara Theo Ursula
    Viktor Wanda Walter Yvonne Zeno
    """
)
LAST = _words(
    """
    Abel Albrecht Banks Becker Bloom Carver Cole Dahl Decker Engel Faber Fisher Gruber Hansen Hoffman Ibsen Jung Kern
    Klein Lang Larsen Mayer Miller Nagel Neumann Orlov Palmer Pohl Quist Reed Roberts Sander Schmidt Thorn Turner Unger
    Vogel Wagner Wolff Young Zeller Ziegler
    """
)
TEAMS = _words(
    """
    Acorn Badger Bison Canyon Cobra Cypress Dolphin Eagle Elm Finch Gecko Granite Hazel Hornet Iguana Jaguar Lark Lynx
    Magpie Marble Mole Oak Osprey Panther Pine Puffin Robin Sable Salmon Seal Spruce Stork Swift Thistle Walnut Wren
    """
)
PRODUCTS = _words(
    """
    Abacus Almanac Arbor Atrium Ballast Bastion Canvas Caliper Chisel Compass Conduit Copper Crank Dial Easel Fathom
    Ferry Flint Forge Gantry Girder Hinge Hopper Kiln Ladder Lantern Lathe Lever Loom Mantle Mortar Paddle Plumb Pulley
    Rivet Rudder Saddle Sextant Shuttle Spindle Tiller Trellis Turbine Vault Winch Wrench
    """
)
CUSTOMERS = _words(
    """
    Abrant Adelco Alvora Andrel Arvento Balmor Bentrix Bordal Brevia Caldor Camrex Cordan Dalvia Dorvel Ebrand Eltora
    Faldor Ferwick Garnova Gelvia Grendal Haltor Hendrix Inverra Isbrant Jalvora Jentic Kaldera Kentrix Lanvor Lestrand
    Maldera Merwick Navorra Nordal Olbrant Orvenna Palvia Pendrel Quelmar Ralvora Renwick Salbrant Sendra Talvor Tendrix
    Ulvora Undrel Valbrant Verwick Walmora Wendrel Xelvia Yelbrant Zalvora Zendrix
    """
)
SUFFIXES = _words("Logistics Foods Textiles Shipping Motors Paper Dairies Tools Glass Printing Seeds Stores")
PROJECTS = _words(
    """
    Amber Beryl Citrine Diamond Emerald Fluorite Galena Hematite Jade Kyanite Lapis Malachite Obsidian Pearl Quartzite
    Ruby Sapphire Topaz Turquoise Zircon
    """
)
CITIES = _words(
    """
    Aarhus Antwerp Basel Bergen Bilbao Bologna Bremen Bristol Cadiz Cork Coventry Dresden Essen Faro Genoa Ghent Graz
    Groningen Hull Izmir Kassel Krakow Leeds Leipzig Linz Lyon Malmo Metz Nantes Odense Oulu Parma Pisa Plzen Porto
    Riga Rouen Siena Split Tartu Turin Turku Ulm Utrecht Verona Vilnius
    """
)
CONCERNS = _words(
    """
    billing latency security onboarding pricing support outages exports permissions reporting training migration
    backups search alerts contracts
    """
)
INDUSTRIES = (
    "freight transport",
    "food retail",
    "wood processing",
    "water supply",
    "steel making",
    "hotel supply",
    "seed breeding",
    "boat building",
    "tile making",
    "book printing",
    "waste recycling",
    "machine rental",
)
PLANS = _words("Basic Bronze Silver Gold Platinum Titanium")
YEARS = ("2016", "2017", "2018", "2019", "2020", "2021", "2022", "2023")

_ONSETS = _words("b br c d dr f g gr h j k l m n p pr r s st t tr v z")
_VOWELS = _words("a e i o u ai ea io")
_CODAS = ("", "l", "n", "r", "s", "x", "nd", "rk", "th", "m")


def invented_name(rng: random.Random) -> str:
    """Two or three syllables, capitalised."""
    syllables = [rng.choice(_ONSETS) + rng.choice(_VOWELS) + rng.choice(_CODAS) for _ in range(rng.choice((2, 2, 3)))]
    return "".join(syllables).capitalize()
