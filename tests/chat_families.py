"""Families of models: a chat template of tests/fixtures, a byte-level tokenizer with its special tokens, its calls."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

FOLDER = Path(__file__).parent / "fixtures" / "chat_templates"
# In the vocabulary, but not special: a document that spells one gets it as a token.
QWEN_PLAIN = ("<think>", "</think>", "<tool_call>", "</tool_call>", "<tool_response>", "</tool_response>")
GLM_PLAIN = (*QWEN_PLAIN, "<arg_key>", "</arg_key>", "<arg_value>", "</arg_value>")
LLAMA_SPECIAL = (
    "<|eot_id|>",
    "<|begin_of_text|>",
    "<|end_of_text|>",
    "<|start_header_id|>",
    "<|end_header_id|>",
    "<|eom_id|>",
    "<|python_tag|>",
)


def hermes(name: str, arguments: dict[str, str]) -> str:
    return f"<tool_call>\n{json.dumps({'name': name, 'arguments': arguments})}\n</tool_call>"


def glm(name: str, arguments: dict[str, str]) -> str:
    pairs = "".join(f"\n<arg_key>{key}</arg_key>\n<arg_value>{value}</arg_value>" for key, value in arguments.items())
    return f"<tool_call>{name}{pairs}\n</tool_call>"


def llama(name: str, arguments: dict[str, str]) -> str:
    return json.dumps({"name": name, "parameters": arguments})


def mistral(name: str, arguments: dict[str, str]) -> str:
    return f"[TOOL_CALLS]{name}[ARGS]{json.dumps(arguments)}"


@dataclass(frozen=True)
class Family:
    """`special[0]` ends a sequence. `tool_role`: False where tool replies are spoken by the user."""

    name: str
    special: tuple[str, ...]
    call: Callable[[str, dict[str, str]], str]
    plain: tuple[str, ...] = ()
    bos: str | None = None
    tool_role: bool = True
    lists_tools: bool = True


FAMILIES = {
    family.name: family
    for family in (
        Family("qwen3", ("<|im_end|>", "<|im_start|>", "<|endoftext|>"), hermes, QWEN_PLAIN),
        Family(
            "qwen3_thinking", ("<|im_end|>", "<|im_start|>", "<|endoftext|>"), hermes, QWEN_PLAIN, lists_tools=False
        ),
        Family("qwen2_5", ("<|im_end|>", "<|im_start|>", "<|endoftext|>"), hermes, QWEN_PLAIN[2:4]),
        Family(
            "glm4_5",
            ("<|endoftext|>", "[gMASK]", "<sop>", "<|system|>", "<|user|>", "<|assistant|>", "<|observation|>"),
            glm,
            GLM_PLAIN,
        ),
        Family("llama3", LLAMA_SPECIAL, llama, bos="<|begin_of_text|>"),
        Family("mistral", ("</s>", "<s>", "[INST]", "[/INST]"), mistral, bos="<s>", tool_role=False, lists_tools=False),
        Family(
            "mistral_tools",
            (
                "</s>",
                "<s>",
                *(f"[{slash}{tag}]" for tag in ("INST", "SYSTEM_PROMPT", "AVAILABLE_TOOLS") for slash in ("", "/")),
                *("[TOOL_RESULTS]", "[/TOOL_RESULTS]", "[TOOL_CALLS]", "[ARGS]"),
            ),
            mistral,
            bos="<s>",
        ),
    )
}


@cache
def family_tokenizer(name: str) -> PreTrainedTokenizerFast:
    """Byte-level BPE with a few merges, so that joints between pieces could matter."""
    family = FAMILIES[name]
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    merges = [("t", "h"), ("th", "e"), ("a", "n"), ("Ġ", "the"), ("Ċ", "Ċ"), (">", "Ċ")]
    tokens = [*alphabet, *("".join(pair) for pair in merges)]
    backend_model = models.BPE(vocab={token: index for index, token in enumerate(tokens)}, merges=merges)
    backend = Tokenizer(backend_model)
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    backend.add_special_tokens([AddedToken(token, normalized=False) for token in family.special])
    backend.add_tokens([AddedToken(token, normalized=False) for token in family.plain])
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend, eos_token=family.special[0], bos_token=family.bos, clean_up_tokenization_spaces=False
    )
    tokenizer.chat_template = (FOLDER / f"{name}.jinja").read_text()
    return tokenizer
