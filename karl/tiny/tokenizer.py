"""The embedded policy's tokenizer: byte-level, so that no text is ever unknown.

Two ways to fill the vocabulary above the 256 bytes and the tags: `words` (every word of the generated companies is one
token, anything else falls back to bytes) and `bpe` (merges learned from generated text with invented names).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from typing import Literal

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

TokenizerKind = Literal["words", "bpe"]

END = "<|end|>"
ROLES = ["<|user|>", "<|assistant|>", "<|tool|>", "<|system|>"]
TAGS = [
    f"<{slash}{tag}>"
    for tag in ("search", "answer", "question", "summary", "candidate", "nugget")
    for slash in ("", "/")
]
CITATIONS = [f"[{number}]" for number in range(1, 33)]
CHAT_TEMPLATE = (
    "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


def _pre_tokenizer() -> pre_tokenizers.PreTokenizer:
    # The prefix space is added after every tag, so a name is the same token inside a sentence and inside <answer>.
    return pre_tokenizers.ByteLevel(add_prefix_space=True, use_regex=True)


def _pieces(texts: Iterable[str]) -> Counter[str]:
    tags = re.compile("|".join(re.escape(tag) for tag in [END, *ROLES, *TAGS, *CITATIONS]))
    pre = _pre_tokenizer()
    counts: Counter[str] = Counter()
    for text in texts:
        for part in tags.split(text):
            counts.update(piece for piece, _ in pre.pre_tokenize_str(part) if part)
    return counts


def _words_model(texts: Iterable[str]) -> models.BPE:
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    words = [piece for piece, _ in sorted(_pieces(texts).items(), key=lambda item: (-item[1], item[0]))]
    vocabulary = {token: index for index, token in enumerate(dict.fromkeys([*alphabet, *words]))}
    # No merges: a piece is either a whole word of the vocabulary or its bytes.
    return models.BPE(vocab=vocabulary, merges=[], ignore_merges=True)


def make_tokenizer(texts: Iterable[str], *, kind: TokenizerKind = "words", size: int = 1024) -> PreTrainedTokenizerFast:
    """Build the tokenizer from sample `texts`. `size` bounds the vocabulary of kind `bpe`, tags not counted."""
    tokenizer = Tokenizer(_words_model(texts) if kind == "words" else models.BPE())
    tokenizer.pre_tokenizer = _pre_tokenizer()  # type: ignore[assignment]
    tokenizer.decoder = decoders.ByteLevel()  # type: ignore[assignment]
    if kind == "bpe":
        trainer = trainers.BpeTrainer(
            vocab_size=size, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
        )
        pieces = _pieces(texts)
        corpus = (tokenizer_input for tokenizer_input in _as_text(pieces))
        tokenizer.train_from_iterator(corpus, trainer)
    tokenizer.add_special_tokens([AddedToken(token, normalized=False) for token in [END, *ROLES]])
    tokenizer.add_tokens([AddedToken(token, normalized=False) for token in [*TAGS, *CITATIONS]])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token=END,
        pad_token=END,
        chat_template=CHAT_TEMPLATE,
        clean_up_tokenization_spaces=False,
    )


def _as_text(pieces: Counter[str]) -> Iterable[str]:
    decoder = decoders.ByteLevel()
    for piece, count in pieces.items():
        yield from [decoder.decode([piece])] * min(count, 50)
