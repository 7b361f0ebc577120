"""Ask a corpus one question. The answer is a typed object with citations, usage and timings."""

from company import generated_company

from karl import AnswerFailed, load_graph

with generated_company() as company, load_graph("solver", corpus="notes", home=company.home) as graph:
    for question, expected in company.questions[:2]:
        try:
            answer = graph.invoke({"question": question})
        except AnswerFailed as failed:
            answer = failed.result
        print(f"{question}\n  {answer} (the notes say: {expected})")
        for citation in answer.citations:
            print(f"  [{citation.document}] {citation.text}")
        print(f"  {answer.usage.searches} searches, {answer.timings.total:.2f} s, trace {answer.trace_id}")
