"""Parallel thinking: five attempts side by side, their final answers combined by the same policy."""

import asyncio

from company import generated_company

from karl import AttemptFinished, Finished, load_graph


async def main() -> None:
    with generated_company() as company:
        question, expected = company.questions[0]
        async with load_graph("aggregator", attempts=5, corpus="notes", home=company.home, seed=1) as graph:
            async for event in graph.astream(question, tokens=False):
                match event:
                    case AttemptFinished(finished=finished, total=total, answer=answer):
                        print(f"attempt {finished} of {total}: {answer or 'no answer'}")
                    case Finished(result=result):
                        print(f"{question} {result} (expected {expected})")
                        print(f"{result.usage.turns} turns in all, last attempt {result.timings.attempts:.2f} s")


asyncio.run(main())
