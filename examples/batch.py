"""Many questions at once. A failed one is an answer that is not `ok`; it stops nobody else."""

from company import generated_company

from karl import load_graph

with generated_company() as company, load_graph("solver", corpus="notes", home=company.home) as graph:
    answers = graph.batch([{"question": question} for question, _ in company.questions], concurrency=4)
    for answer, (_, expected) in zip(answers, company.questions, strict=True):
        told = answer.answer if answer.ok else f"failed: {answer.failure.reason}" if answer.failure else ""
        print(f"{answer.question:<44} {told:<24} expected {expected}")
    right = sum(a.answer == expected for a, (_, expected) in zip(answers, company.questions, strict=True))
    print(f"{right} of {len(answers)} right, {sum(answer.usage.searches for answer in answers)} searches")
