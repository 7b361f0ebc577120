"""Annual reports of a customer: long text with aligned tables, two years a table, in a unit of the report's own."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from evals.fog.facts import spoken
from evals.fog.world import World

YEARS = (2022, 2023, 2024)
TABLES: dict[str, tuple[str, ...]] = {
    "Income statement": ("Revenue", "Cost of sales", "Research expenses", "Marketing expenses", "Office expenses"),
    "Balance sheet": ("Cash", "Receivables", "Inventories", "Fixed assets", "Goodwill"),
    "Cash flow statement": ("Cash from operations", "Investments", "Dividends paid", "Loans repaid"),
    "Revenue by region": ("Northern region", "Southern region", "Western region", "Eastern region"),
    "Revenue by source": ("Sales of goods", "Service contracts", "Licence fees", "Rental income"),
}
# Lines that share everything with the one asked about but these words.
QUALIFIERS = (
    "of joint ventures",
    "of discontinued units",
    "before rebates",
    "at constant exchange rates",
    "of associated companies",
    "as budgeted",
    "of the parent alone",
    "before reclassification",
    "under the former rules",
    "of leased sites",
)
PROSE = (
    "{company} kept its sites and opened no new one.",
    "Demand was steady in the first half and uneven in the second.",
    "Prices of energy and freight moved more than in other years.",
    "The board met six times and changed none of its committees.",
    "Staff took part in training on safety at work.",
    "The auditors had no remarks on the figures below.",
    "Contracts with the main suppliers were renewed without changes.",
    "{company} is party to no legal dispute of weight.",
    "Rounding may lead to small differences in sums.",
    "The accounting rules are those of the year before.",
)
Line = tuple[str, int]


@dataclass
class Accounts:
    """thousands: the figures in force. former: what the older report said where it was restated later."""

    company: str
    currency: str
    tables: dict[str, list[str]]
    thousands: dict[Line, int]
    former: dict[Line, int]
    units: dict[int, str]
    """Year of a report -> the scale of its figures, `thousand` or `million`."""

    def shown(self, line: Line, year: int) -> int:
        """Thousands, as the report of that year has them."""
        return self.former.get(line, self.thousands[line]) if year == YEARS[1] else self.thousands[line]

    def figure(self, line: Line, year: int) -> str:
        """As a fact of the report of that year: `12.3 million euros`."""
        return f"{number(self.shown(line, year), self.units[year], grouped=False)} {self.units[year]} {self.currency}"


def number(thousands: int, unit: str, *, grouped: bool = True) -> str:
    """Exact in both units: every figure is a whole number of hundreds of thousands."""
    comma = "," if grouped else ""
    return f"{thousands:{comma}}" if unit == "thousand" else f"{thousands // 1000:{comma}}.{thousands % 1000 // 100}"


def relation(line: Line) -> str:
    return f"{line[0]} | {line[1]}"


def draw_accounts(world: World, company: str, *, asked: list[str]) -> Accounts:
    """`asked`: lines that get near misses beside them."""
    tables = {title: list(TABLES[title]) for title in list(TABLES)[: world.settings.tables]}
    for lines in tables.values():
        for name in [name for name in lines if name in asked]:
            like = world.rng.sample(QUALIFIERS, world.settings.distractors)
            lines += [f"{name} {qualifier}" for qualifier in like]
        lines.sort(key=lambda name: world.rng.random())
    keys = [(name, year) for lines in tables.values() for name in lines for year in YEARS]
    # All differ, so that every line rises or falls and no figure is right by chance.
    amounts = world.rng.sample(range(300, 9_000), len(keys))
    thousands = {key: 100 * amount for key, amount in zip(keys, amounts, strict=True)}
    former = {
        key: thousands[key] + 100 * world.rng.choice((-140, -60, -30, 50, 170, 290))
        for key in keys
        if key[1] == YEARS[1] and world.chance(world.settings.conflicts)
    }
    units = {year: world.pick(("thousand", "million")) for year in YEARS[1:]}
    return Accounts(company, world.pick(("euros", "dollars")), tables, thousands, former, units)


def write_reports(world: World, accounts: Accounts) -> None:
    for year in YEARS[1:]:
        day = date(year + 1, 3, world.rng.randint(1, 28))
        columns = (year - 1, year)
        triples = [
            (relation((name, column)), accounts.company, accounts.figure((name, column), year))
            for lines in accounts.tables.values()
            for name in lines
            for column in columns
        ]
        title = f"Annual report {year} of {accounts.company}"
        world.write("filings", title, _body(world, accounts, year), triples, day=day)


def _body(world: World, accounts: Accounts, year: int) -> str:
    sections = [f"# Annual report {year} of {accounts.company}", "## Business", _prose(world, accounts)]
    for title, names in accounts.tables.items():
        unit = f"in {accounts.units[year]}s of {accounts.currency}"
        sections += [f"## {title}", f"{title} of {accounts.company}, {unit}.", _table(accounts, names, year)]
        sections.append(_prose(world, accounts))
    closing = f"The board approved this report on {spoken(date(year + 1, 2, world.rng.randint(1, 28)))}."
    return "\n\n".join([*sections, "## Approval", closing])


def _prose(world: World, accounts: Accounts) -> str:
    return " ".join(text.format(company=accounts.company) for text in world.rng.sample(PROSE, 4))


def _table(accounts: Accounts, names: list[str], year: int) -> str:
    """Aligned text in a code fence: a reader of Markdown keeps its columns."""
    width = max(map(len, names)) + 2
    unit = accounts.units[year]
    rows = [f"{'':<{width}}{year - 1:>14}{year:>14}"]
    for name in names:
        cells = [number(accounts.shown((name, column), year), unit) for column in (year - 1, year)]
        rows.append(f"{name:<{width}}{cells[0]:>14}{cells[1]:>14}")
    return "\n".join(["```", *rows, "```"])
