"""Every rollout is kept: read one back by its trace id, down to the tokens that a training would use."""

from company import generated_company

from karl import load_graph, load_trace

with generated_company() as company:
    question, _ = company.questions[0]
    with load_graph("solver", corpus="notes", home=company.home, on_failure="return") as graph:
        trace_id = graph.invoke(question).trace_id

    answer = load_trace(trace_id, home=company.home)
    record = answer.record
    print(f"{answer.question} {answer}\ngraph {record.provenance.graph} {record.provenance.graph_sha256[:12]}")
    for step in record.steps:
        print(f"{step.kind}: {step.text} ({step.prompt_tokens} tokens read, {len(step.hits)} passages found)")
    for segment in record.segments:
        print(f"segment: {len(segment.token_ids)} tokens, {sum(segment.loss_mask)} of them sampled")
