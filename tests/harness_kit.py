"""Small tokenizers, chat templates, a searcher and scripted policies for tests of agents and graphs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from agents.chat_template import chat_template
from agents.engines.scripted import Respond, ScriptedEngine
from agents.policy import Policy, PolicyProfile
from store.types import Hit

TINY_TEMPLATE = (
    "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
# Qwen3's habits: tool results inside user turns, reasoning kept only after the last real question.
QWEN_TEMPLATE = """{%- set ns = namespace(last=messages|length - 1, found=false) -%}
{%- for m in messages[::-1] -%}
{%- if not ns.found and m.role == 'user' -%}{%- set ns.found = true -%}
{%- set ns.last = messages|length - 1 - loop.index0 -%}{%- endif -%}
{%- endfor -%}
{%- for m in messages -%}
{%- if m.role == 'assistant' -%}
{%- set content = m.content.split('</think>')[-1].lstrip('\\n') if loop.index0 < ns.last else m.content -%}
{{- '<|im_start|>assistant\\n' + content + '<|im_end|>\\n' -}}
{%- elif m.role == 'tool' -%}
{%- if loop.first or messages[loop.index0 - 1].role != 'tool' -%}{{- '<|im_start|>user' -}}{%- endif -%}
{{- '\\n<tool_response>\\n' + m.content + '\\n</tool_response>' -}}
{%- if loop.last or messages[loop.index0 + 1].role != 'tool' -%}{{- '<|im_end|>\\n' -}}{%- endif -%}
{%- else -%}
{{- '<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>\\n' -}}
{%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}{{- '<|im_start|>assistant\\n' -}}{%- endif -%}"""
# Refuses tools and two user turns in a row, and trims contents.
STRICT_TEMPLATE = """{%- for m in messages -%}
{%- if (m.role == 'user') != (loop.index0 % 2 == 0) -%}{{- raise_exception('roles must alternate') -}}{%- endif -%}
{%- if m.role == 'user' -%}{{- '<s>[INST] ' + m.content | trim + ' [/INST]' -}}
{%- else -%}{{- m.content + '</s>' -}}{%- endif -%}
{%- endfor -%}"""
SPECIAL = {
    TINY_TEMPLATE: ["<|end|>", "<|user|>", "<|assistant|>", "<|tool|>", "<|system|>"],
    QWEN_TEMPLATE: ["<|im_end|>", "<|im_start|>"],
    STRICT_TEMPLATE: ["</s>", "<s>", "[INST]", "[/INST]"],
}


def byte_tokenizer(template: str = TINY_TEMPLATE) -> PreTrainedTokenizerFast:
    """Byte-level BPE with a handful of merges, so that joints between pieces could matter."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    merges = [("t", "h"), ("th", "e"), ("a", "n"), ("Ġ", "the"), ("<", "s"), ("Ċ", "Ċ")]
    tokens = [*alphabet, *("".join(pair) for pair in merges)]
    model = models.BPE(vocab={token: index for index, token in enumerate(tokens)}, merges=merges)
    backend = Tokenizer(model)
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    special = SPECIAL[template]
    backend.add_special_tokens(special)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, eos_token=special[0])
    tokenizer.chat_template = template
    return tokenizer


def word_tokenizer(words: Sequence[str], template: str = TINY_TEMPLATE) -> PreTrainedTokenizerFast:
    """Word-level, split at spaces; anything else is unknown."""
    special = SPECIAL[template]
    vocabulary = ["<unk>", *words]
    backend = Tokenizer(models.WordLevel({word: index for index, word in enumerate(vocabulary)}, unk_token="<unk>"))
    backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    backend.add_special_tokens(special)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, eos_token=special[0], unk_token="<unk>")
    tokenizer.chat_template = template
    return tokenizer


@dataclass
class ListSearcher:
    """Hits whose text shares a word with the query, in list order."""

    hits: list[Hit]
    queries: list[str] = field(default_factory=list)
    error: Exception | None = None

    async def search(self, query: str, k: int) -> list[Hit]:
        self.queries.append(query)
        if self.error is not None:
            raise self.error
        words = set(query.lower().split())
        return [hit for hit in self.hits if words & set(hit.text.lower().split())][:k]


def hit(chunk_id: int, text: str) -> Hit:
    return Hit(chunk_id=chunk_id, key=f"notes/{chunk_id}.md#0", title=f"Note {chunk_id}", text=text, score=1.0)


NOTES = [
    hit(11, "mira leads falcon"),
    hit(12, "falcon works in oslo"),
    hit(13, "bram leads orion"),
    hit(14, "orion   works in\nlima"),
]


def scripted_policy(
    respond: Respond, *, variant: str = "tiny", context_tokens: int = 8_192, template: str = TINY_TEMPLATE
) -> Policy:
    """A policy played by `respond`, over the byte tokenizer."""
    tokenizer = byte_tokenizer(template)
    profile = PolicyProfile(name="test", prompt_variant=variant, context_tokens=context_tokens, policy_version=3)
    return Policy(ScriptedEngine(respond, template=chat_template(tokenizer), model="scripted-test"), tokenizer, profile)


def text_policy(*replies: str, **options: Any) -> Policy:
    """Plays `replies` turn by turn: one rollout at a time."""
    turns = iter(replies)
    return scripted_policy(lambda request: next(turns), **options)
