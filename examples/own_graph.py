"""A graph of one's own: a YAML file that extends the solver, with a node in Python; one key changed from here."""

from pathlib import Path

from company import generated_company

from karl import load_graph

GRAPH = Path(__file__).parent / "loud_solver.yaml"

with generated_company() as company:
    overrides = {"tools": {"search": {"k": 2}}}
    with load_graph(GRAPH, corpus="notes", home=company.home, overrides=overrides, on_failure="return") as graph:
        print(graph, graph.spec.sha256)
        for question, expected in company.questions[:3]:
            answer = graph.invoke(question)
            most = max((len(step.hits) for step in answer.record.steps), default=0)
            print(f"{question} {answer} (expected {expected}; at most {most} passages a search)")
