"""Arithmetic over the tables of long filings: a difference, a sum or a percentage, with its unit."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from evals.fog.company import add_customer, add_line
from evals.fog.query import Condition, Draft, Lookup, Operation, Query
from evals.fog.regimes.phrases import asked, join_and
from evals.fog.regimes.tables import TABLES, YEARS, Accounts, Line, draw_accounts, number, relation, write_reports
from evals.fog.world import World
from evals.items import Nugget


@dataclass(frozen=True, slots=True)
class Calculation:
    operation: Operation
    lines: tuple[Line, ...]
    text: str
    """With {company} where its description goes."""
    result: Decimal
    nugget: Nugget


def plant(world: World) -> Draft:
    company, described, condition = _company(world)
    table = world.pick(list(TABLES)[: world.settings.tables])
    names = world.rng.sample(TABLES[table], 3)
    accounts = draw_accounts(world, company, asked=names[:1])
    write_reports(world, accounts)
    made = world.rng.choice((_difference, _sum, _percentage))(world, accounts, names)
    values = tuple(accounts.figure(line, _report(line)) for line in made.lines)
    return Draft(
        regime="tabular_arithmetic",
        question=asked(world, made.text.format(company=described)),
        query=Query((condition,), tuple((relation(line),) for line in made.lines), made.operation),
        rows={company: values},
        reference=made.nugget.text,
        nuggets=(made.nugget,),
        things="customers",
        number=made.result,
    )


def _company(world: World) -> tuple[str, str, Condition]:
    """A customer, how the question describes it, and what that asks of the facts."""
    if world.settings.hops == 1:
        customer = add_customer(world, {})
        called = world.called(customer)
        return customer, called, Condition((), customer, f"is {called}")
    if world.settings.hops == 2:
        manager = world.names.take("people")
        customer = add_customer(world, {"managed_by": manager})
        text = f"looked after by {manager}"
        return customer, f"the customer {text}", Condition(("managed_by",), manager, f"is {text}")
    line = add_line(world)
    customer = add_customer(world, {"managed_by": line.leader})
    text = f"looked after by the leader of the {line.team} team"
    lookup = Lookup(line.team, ("led_by",))
    return customer, f"the customer {text}", Condition(("managed_by",), lookup, f"is {text}")


def _report(line: Line) -> int:
    """The newest report that shows the line's year."""
    return min(line[1] + 1, YEARS[-1])


def _money(accounts: Accounts, thousands: int) -> Nugget:
    """In thousands, as the question asks; the same in other units is as right."""
    text = f"{number(thousands, 'thousand')} thousand {accounts.currency}"
    million = number(thousands, "million")
    return Nugget(
        text=text, aliases=(f"{million} million {accounts.currency}", f"{1000 * thousands} {accounts.currency}")
    )


def _difference(world: World, accounts: Accounts, names: list[str]) -> Calculation:
    first, last = sorted(world.rng.sample(YEARS, 2))
    before, after = accounts.thousands[names[0], first], accounts.thousands[names[0], last]
    verb, lines = ("rise", ((names[0], last), (names[0], first)))
    if after < before:
        verb, lines = "fall", lines[::-1]
    text = f'By how much did the line "{names[0]}" of {{company}} {verb} from {first} to {last}, in thousands of '
    change = abs(after - before)
    return Calculation(
        "difference", lines, f"{text}{accounts.currency}?", Decimal(1000 * change), _money(accounts, change)
    )


def _sum(world: World, accounts: Accounts, names: list[str]) -> Calculation:
    year = world.rng.choice(YEARS)
    lines = tuple((name, year) for name in names)
    quoted = join_and([f'"{name}"' for name in names])
    text = f"What do the lines {quoted} of {{company}} for {year} add up to, in thousands of {accounts.currency}?"
    total = sum(accounts.thousands[line] for line in lines)
    return Calculation("sum", lines, text, Decimal(1000 * total), _money(accounts, total))


def _percentage(world: World, accounts: Accounts, names: list[str]) -> Calculation:
    year = world.rng.choice(YEARS)
    part, whole = ((name, year) for name in names[:2])
    text = f'What was the line "{part[0]}" of {{company}} for {year} as a percentage of the line "{whole[0]}"?'
    numerator, denominator = accounts.thousands[part], accounts.thousands[whole]
    # In whole numbers, halves up.
    tenths = (2000 * numerator + denominator) // (2 * denominator)
    shown = f"{tenths // 10}.{tenths % 10}"
    nugget = Nugget(text=f"{shown}%", aliases=(f"{shown} percent", f"{shown} per cent"))
    return Calculation("percentage", (part, whole), f"{text} Give one decimal.", Decimal(tenths) / 10, nugget)
