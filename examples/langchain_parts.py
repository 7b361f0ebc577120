"""For agents that are not karl's graphs: the policy as a LangChain chat model, the corpus as a LangChain tool."""

from company import generated_company
from langchain_core.messages import HumanMessage

from karl import load_chat_model, load_search_tool

with generated_company() as company:
    question, expected = company.questions[0]
    search = load_search_tool("notes", k=3, home=company.home)
    model = load_chat_model(corpus="notes", home=company.home, temperature=0.0, max_tokens=64)
    print(f"{question} ({model.get_num_tokens(question)} tokens of the policy's own)")

    for chunk in model.stream(question):
        print(chunk.text, end="|", flush=True)
    print()

    agent = model.bind_tools([search])
    wish = agent.invoke(question)
    found = [search.invoke(call) for call in wish.tool_calls]
    for call, message in zip(wish.tool_calls, found, strict=True):
        print(f"{call['name']} {call['args']} found {len(message.artifact)} passages:\n{message.text}")
    print(f"{agent.invoke([HumanMessage(question), wish, *found]).text} (expected {expected})")
