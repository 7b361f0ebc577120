"""Watch a question being answered: typed events, and tokens as the policy samples them."""

import asyncio

from company import generated_company

from karl import Finished, Hits, SearchStarted, Token, load_graph


async def main() -> None:
    with generated_company() as company:
        question, _ = company.questions[0]
        async with load_graph("solver", corpus="notes", home=company.home) as graph:
            async for event in graph.astream({"question": question}):
                match event:
                    case Token(text=text):
                        print(text, end="", flush=True)
                    case SearchStarted(query=query):
                        print(f"\n-- searching for {query!r}")
                    case Hits(hits=hits):
                        print(*(f"   {hit.key}: {hit.text}" for hit in hits), sep="\n")
                    case Finished(result=answer):
                        print(f"\n-- {answer} ({answer.usage.sampled_tokens} tokens sampled)")


asyncio.run(main())
