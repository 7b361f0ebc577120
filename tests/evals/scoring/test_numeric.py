"""The numeric checker: what counts as the same value, what never does, and where it says that it can't tell."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.scoring.numeric import expected_quantities, numeric_score
from evals.scoring.quantities import Quantity, quantities, stated_scale

FINANCEBENCH = Path(__file__).parents[4] / "shared" / "data" / "financebench" / "questions.jsonl"
CAPEX = "What is the FY2018 capital expenditure amount (in USD millions) for 3M?"
GROWTH = "What was the growth of revenue in FY2022, in percent?"
RATE = "How does the effective tax rate in FY2022 compare to FY2021?"


def matched(answer: str, reference: str, question: str = "") -> bool | None:
    score = numeric_score(answer, reference=reference, question=question)
    assert score is None or (score.judge, score.prompt_sha256) == ("rule:numeric", "")
    return None if score is None else score.matched


SAME = [
    ("1.577 billion USD", "$1577.00", ""),
    ("1.577 billion USD", "$1577.00", CAPEX),
    ("3M spent $1,577 million in FY2018 [3].", "$1577.00", CAPEX),
    ("1577", "$1577.00", CAPEX),
    ("$1,577,000,000", "$1577.00", CAPEX),
    ("$1.58bn", "$1577.00", CAPEX),
    ("**$1,577** (in millions; 2017: $1,373)", "$1577.00", CAPEX),
    ("US$ 1577M", "$1577.00", CAPEX),
    ("1577000 thousand dollars", "$1577.00", CAPEX),
    ("$8.738 billion", "$8.70", "what is the year end FY2018 net PPNE? Answer in USD billions."),
    ("8,738 million dollars", "$8.70", "what is the year end FY2018 net PPNE? Answer in USD billions."),
    ("approximately $20 billion", "$20bn", ""),
    ("0.36", "36%", "What percent of the spend occurred in Q4?"),
    ("36", "36%", "What percent of the spend occurred in Q4?"),
    ("about 36 per cent", "36%", ""),
    ("35.8%", "36%", ""),
    ("66%", "0.66", "What is the quick ratio?"),
    ("0.66x", "0.66", "What is the quick ratio?"),
    ("0.66 : 1", "0.66", "What is the quick ratio?"),
    ("two-thirds or so: 0.66 to 1", "0.66", "What is the quick ratio?"),
    ("-2.17%", "-0.02", "What is the return on assets?"),
    ("(2.17)%", "-0.02", "What is the return on assets?"),
    ("It declined by 2.2%.", "-2.2%", ""),
    ("minus 14.76 percent", "-14.76%", ""),
    ("\N{MINUS SIGN}14.76 %", "-14.76%", ""),
    ("$(1,577)", "-$1577", ""),
    ("100 basis points", "1 percentage point", ""),
    ("one percentage point", "1 percentage point", ""),
    ("It is zero, since EBIT is negative.", "0.00", ""),
    ("1.577e9 dollars", "$1,577 million", ""),
    ("In 2018 the sum was 1,577, up from 1,373 in 2017.", "$1577.00", CAPEX),
    ("Net income was $40 million. Sales were $900 million. The ratio is 24.3.", "24.26", "What is the ratio?"),
    ("Some $5 million.\nAnswer: $7 million", "$7 million", ""),
    ("36. It is computed from the notes.", "36", "How many stores?"),
    ("45 cents", "$0.45", ""),
    ("It fell 4% to $1,577 million.", "$1577.00", CAPEX),
    ("It fell by 13 to 969 stores.", "969", "How many stores?"),
    ("Despite lower volumes revenue grew by 5.2%.", "5.2%", GROWTH),
    ("It decreased by 5.2%.", "-5.2%", GROWTH),
    ("It decreased by 5.2%.", "5.2%", "By how much did revenue decrease?"),
    ("The decrease was 5.2%.", "a decrease of 5.2%", GROWTH),
    ("0.62% in 2022 and -14.76% in 2021", "FY2022: 0.62%, FY2021: -14.76%", RATE),
    ("It rose from -14.76% in FY2021 to 0.62% in FY2022.", "FY2022: 0.62%, FY2021: -14.76%", RATE),
]
OTHER = [
    ("$1,578 million", "$1577.00", CAPEX),
    ("$1.6 billion", "$1577.00", CAPEX),
    ("1.577 million USD", "$1577.00", CAPEX),
    ("1.577 trillion", "$1577.00", CAPEX),
    ("1,577 million euros", "$1577.00", CAPEX),
    ("1577%", "$1577.00", CAPEX),
    ("-$1,577 million", "$1577.00", CAPEX),
    ("between $1,577 and $1,600 million", "$1577.00", CAPEX),
    ("$1,577 or $1,600 million", "$1577.00", CAPEX),
    ("20% to 36%", "36%", ""),
    ("1,577-1,600", "$1577.00", CAPEX),
    ("In document [1577] of 2018 nothing is said.", "$1577.00", CAPEX),
    ("In FY2018.", "$2018.00", CAPEX),
    ("on January 28, 2023", "28", "How many stores?"),
    ("Decreased 12%", "21%", ""),
    ("", "36%", ""),
    ("37%", "36%", ""),
    ("36", "0.36", "What is the quick ratio?"),
    ("0.036", "36%", "What percent of the spend occurred in Q4?"),
    ("1.4 percentage points", "1 percentage point", ""),
    ("14.76%", "-14.76%", ""),
    ("$20 million", "$20 billion", ""),
    ("The 737 and 777X", "777", "How many aircraft?"),
    ("3M", "3000000", ""),
    ("10-K", "10", "How many filings?"),
    ("COVID-19", "19", "How many filings?"),
    ("-14.76% in 2022 and 0.62% in 2021", "FY2022: 0.62%, FY2021: -14.76%", RATE),
    ("0.62% in both years", "FY2022: 0.62%, FY2021: -14.76%", RATE),
    ("It was 5. First 7, then 9. So it is 8.", "7", "How many stores?"),
    ("Revenue declined by 5.2%.", "5.2%", GROWTH),
    ("After a rise in 2021, revenue fell -5.2%.", "5.2%", GROWTH),
]
NOT_NUMERIC = [
    ("Yes, it improved by 12% to 34%.", ""),
    ("No the margin declined from 36.8% in FY 2021 to 34.6%.", ""),
    ("The consumer segment shrunk by 0.9% organically.", "Which segment has dragged down growth in 2022?"),
    ("Lower marketing expenses in 2022 and 12 more stores in the states.", "What drove the reduction?"),
    ("The Consumer Health segment", ""),
    ("Boeing 737", "Which aircraft is delivered most?"),
    ("2018", "When?"),
    ("", ""),
]


@pytest.mark.parametrize(("answer", "reference", "question"), SAME)
def test_the_same_value(answer: str, reference: str, question: str) -> None:
    assert matched(answer, reference, question) is True


@pytest.mark.parametrize(("answer", "reference", "question"), OTHER)
def test_another_value(answer: str, reference: str, question: str) -> None:
    assert matched(answer, reference, question) is False


@pytest.mark.parametrize(("reference", "question"), NOT_NUMERIC)
def test_a_reference_without_a_value_is_not_numeric(reference: str, question: str) -> None:
    assert matched("36%", reference, question) is None and matched(reference, reference, question) is None


@pytest.mark.parametrize(
    ("question", "power"),
    [
        ("(in USD millions)", 6),
        ("Answer in USD billions.", 9),
        ("in thousands of dollars", 3),
        ("in millions, or in billions", None),
        ("How much?", None),
    ],
)
def test_the_scale_that_a_question_asks_for(question: str, power: int | None) -> None:
    assert stated_scale(question) == power


UNSCALED = 4  # of the spellings
AMOUNTS = st.decimals(min_value=Decimal("0.1"), max_value=Decimal(9_999), places=1)


def spelled(millions: Decimal) -> list[str]:
    """One amount of money in many forms."""
    plain = format(millions.normalize(), "f")
    return [
        f"${millions:,} million",
        f"USD {plain}M",
        f"{plain} million dollars",
        f"about ${format((millions / 1000).normalize(), 'f')} billion",
        f"${int(millions * 1_000_000):,}",
        f"{format((millions * 1000).normalize(), 'f')} thousand USD, as the notes say [2]",
        f"In FY2018 it was **${plain} million**.",
    ]


@given(AMOUNTS, st.integers(0, 6), st.integers(0, 6))
def test_every_spelling_of_an_amount_matches_every_other(amount: Decimal, first: int, second: int) -> None:
    forms = spelled(amount)
    assert matched(forms[first], forms[second], "What is the amount?") is True


@given(AMOUNTS, st.integers(0, 6), st.integers(0, 6), st.sampled_from(["1.1", "0.9", "10", "0.001", "1000", "-1"]))
def test_no_spelling_of_a_changed_amount_does(amount: Decimal, first: int, second: int, factor: str) -> None:
    # A tenth of a million is the last digit written: smaller changes than one of it are none.
    changed = (amount * Decimal(factor)).quantize(Decimal("0.1"))
    # Digits without a scale word may be meant in thousands or millions where the question does not say.
    ambiguous = second == UNSCALED and factor in ("0.001", "1000")
    if abs(changed - amount) >= Decimal("0.1") and not ambiguous:
        assert matched(spelled(changed)[first], spelled(amount)[second], "What is the amount?") is False


@given(st.decimals(min_value=Decimal("-99"), max_value=Decimal("99"), places=2))
def test_percentages_and_fractions(share: Decimal) -> None:
    for form in (
        f"{share}%",
        f"{share} percent",
        f"{share / 100}",
        f"{share * 100} bps",
        f"({share}%)",
        f"{share:.1f}%",
    ):
        close = form != f"{share:.1f}%" or abs(Decimal(f"{share:.1f}") - share) <= abs(share) / 100
        assert matched(form, f"{share}%", "What percent is it?") is close, form


@given(st.text(max_size=60), st.text(max_size=60), st.text(max_size=40))
def test_no_text_breaks_it(answer: str, reference: str, question: str) -> None:
    score = numeric_score(answer, reference=reference, question=question)
    assert (score is None) is (not expected_quantities(reference, question=question))


@given(
    st.from_regex(r"[-$(]{0,3}[0-9,.]{1,12}[ %)a-zA-Z]{0,12}([-,. ]{0,2}[0-9.]{1,30}[%xXkKmM)]?){0,3}", fullmatch=True)
)
def test_no_jumble_of_digits_breaks_it(text: str) -> None:
    assert matched(text, text) in (True, False, None)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("run", [" ", "\n", "1", "(", "$", "-", "1,", "[1", "1 or ", "no ", "1 to ", "(1)"])
def test_long_runs_take_no_time(run: str) -> None:
    text = run * 3_000
    assert matched(f"{text} 36%", "36%") in (True, False)
    assert matched("36%", f"{text} 36%") in (True, False, None)


def published() -> list[dict[str, Any]]:
    if not FINANCEBENCH.is_file():
        pytest.skip(f"{FINANCEBENCH} is not here: this test reads FinanceBench's 30 public questions")
    return [json.loads(line) for line in FINANCEBENCH.read_text(encoding="utf-8").splitlines()]


NUMERIC = 9  # of the 30: three bare amounts, two rates in one answer, six sentences and a remark behind a percentage


def test_which_of_the_published_answers_are_numeric() -> None:
    rows = published()
    numeric = [row for row in rows if matched(row["answer"], row["answer"], row["question"]) is not None]
    assert len(rows) == 30 and len(numeric) == NUMERIC
    assert not [row for row in numeric if row["answer"].lower().startswith(("yes", "no"))]


def test_published_answers_match_themselves_rewritten_and_no_changed_value() -> None:
    for row in published():
        expected = expected_quantities(row["answer"], question=row["question"])
        scale = stated_scale(row["question"]) or 0
        for answer in rewritten(expected, scale) if expected else ():
            assert matched(answer, row["answer"], row["question"]) is True, (answer, row["answer"])
        for answer in changed(expected, scale) if expected else ():
            assert matched(answer, row["answer"], row["question"]) is False, (answer, row["answer"])


def rewritten(expected: list[Quantity], scale: int) -> Iterator[str]:
    yield " and ".join(spelling(one, scale, "short") for one in expected)
    yield "It was about " + ", against ".join(f"**{spelling(one, scale, 'long')}**" for one in expected) + " [1][4]."
    yield "; ".join(spelling(one, scale, "full") for one in expected)


def changed(expected: list[Quantity], scale: int) -> Iterator[str]:
    first, *rest = expected
    for factor in ("1.1", "0.9", "-1", "1000"):
        other = first.value * Decimal(factor)
        if other != first.value:
            yield "; ".join(spelling(one, scale, "full") for one in (with_value(first, other), *rest))
    last_digit = Decimal(1).scaleb(-(first.digits - first.padded))
    yield "; ".join(spelling(one, scale, "full") for one in (with_value(first, first.value + last_digit), *rest))


def with_value(one: Quantity, value: Decimal) -> Quantity:
    return Quantity(value, one.kind, one.power, one.digits, one.padded, one.currency)


def spelling(one: Quantity, scale: int, form: str) -> str:
    if one.kind == "percent":
        return {"short": f"{one.value}%", "long": f"{one.value} percent", "full": f"{one.value.scaleb(-2)}"}[form]
    value = one.value.scaleb(scale if one.power is None else one.power)
    if not scale and one.power is None:
        return {"short": f"{value}", "long": f"{value}x", "full": f"{value}.0"}[form]
    billions = format(value.scaleb(-9).normalize(), "f")
    full = f"${value.quantize(Decimal(1)):,}"
    return {"short": f"${billions}bn", "long": f"{billions} billion US dollars", "full": full}[form]


def test_equal_quantities_need_one_each() -> None:
    assert matched("7%, 5% and 5%", "5%, 5% and 7%") is True
    assert matched("7% and 5%", "5%, 5% and 7%") is False
    # 1.58 is 1.577 rounded as well, but 1.577 can be no other than itself.
    assert matched("1.577% and 1.58%", "1.58%, 1.577%") is matched("1.58% and 1.577%", "1.58%, 1.577%") is True


def test_what_is_read() -> None:
    read = quantities("Sales fell 4.0% to $1,577.5 million in FY2022 (2021: 1,643).")
    assert [(str(one.value), one.kind, one.power, one.year) for one in read] == [
        ("4.0", "percent", None, None),
        ("1577.5", "money", 6, 2022),
        ("1643", "bare", None, 2021),
    ]
    assert read[0].falls and (read[0].digits, read[0].padded) == (1, 1) and not read[1].hedged
