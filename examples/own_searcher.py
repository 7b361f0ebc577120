"""Search where you like: any object with `async def search(query, k) -> list[Hit]`. No store is needed."""

import asyncio

from karl import Hit, load_graph

FACTS = ["Mira Holt leads the Cedar team.", "Mira Holt lives in Porto.", "The Cedar team sits in Ghent."]


class Facts:
    """Passages that share most words with the query."""

    async def search(self, query: str, k: int) -> list[Hit]:
        words = set(query.lower().split())
        scores = [len(words & set(fact.lower().strip(".").split())) for fact in FACTS]
        best = sorted(range(len(FACTS)), key=lambda index: -scores[index])
        found = [index for index in best if scores[index]][:k]
        return [Hit(n, key=f"facts#{n}", title="Fact", text=FACTS[n], score=float(scores[n])) for n in found]


async def main() -> None:
    async with load_graph("solver", corpus=Facts(), on_failure="return") as graph:
        answer = await graph.ainvoke({"question": "Where does Mira Holt live?"})
        print(answer)
        print(*(f"  {citation.key}: {citation.text}" for citation in answer.citations), sep="\n")


asyncio.run(main())
