"""Cut a document as its corpus' policy says: a reader yields pages or a whole text, what comes out are chunks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache

from store.chunking.code import code_sections
from store.chunking.policy import Chunking, ChunkingPolicy
from store.chunking.sentences import sentence_windows
from store.chunking.split import Section, merged, overlapped, sections, split_text
from store.chunking.tokens import ApproximateTokens, TokenizerFile, Tokens
from store.readers.base import ReadChunk, ReadDocument


def cut(document: ReadDocument, *, kind: str, policy: ChunkingPolicy, max_chars: int) -> ReadDocument:
    """The document with its chunks. max_chars: of chunks by headings whose rule names no size.

    Raises: UsageError for a tokenizer that cannot be read.
    """
    if not document.chunks:
        return document
    rule = policy.of(kind, paged=document.chunks[0].page is not None)
    chunks = list(_RULES[rule.by](document, rule, policy, max_chars))
    return replace(document, chunks=chunks)


def _as_given(document: ReadDocument, rule: Chunking, policy: ChunkingPolicy, max_chars: int) -> Iterator[ReadChunk]:
    """A page is a chunk, and so is a text without pages."""
    yield from document.chunks


def _whole(document: ReadDocument, rule: Chunking, policy: ChunkingPolicy, max_chars: int) -> Iterator[ReadChunk]:
    yield ReadChunk("\n\n".join(chunk.text for chunk in document.chunks), document.chunks[0].title)


def _first_tokens(
    document: ReadDocument, rule: Chunking, policy: ChunkingPolicy, max_chars: int
) -> Iterator[ReadChunk]:
    tokens = counter(policy.tokenizer)
    for chunk in _whole(document, rule, policy, max_chars):
        yield replace(chunk, text=tokens.first(chunk.text, rule.size or 0).strip())


def _windows(document: ReadDocument, rule: Chunking, policy: ChunkingPolicy, max_chars: int) -> Iterator[ReadChunk]:
    for chunk in document.chunks:
        windows = sentence_windows(chunk.text, words=rule.size or 0, overlap=rule.overlap)
        yield from (replace(chunk, text=window) for window in windows)


def _by_headings(document: ReadDocument, rule: Chunking, policy: ChunkingPolicy, max_chars: int) -> Iterator[ReadChunk]:
    longest = rule.size or max_chars
    for chunk in document.chunks:
        if len(chunk.text) <= longest:
            yield chunk
        else:
            yield from _sections(chunk, _SECTIONS[document.markup](chunk.text), longest, rule.overlap)


def _sections(chunk: ReadChunk, parts: Sequence[Section], longest: int, overlap: int) -> Iterator[ReadChunk]:
    room = longest - overlap
    for part in merged(list(parts), max_chars=room):
        for piece in overlapped(split_text(part.text, max_chars=room), overlap=overlap):
            title = chunk_title(part, title=chunk.title)
            yield replace(chunk, text=piece, title=title, headings=(*chunk.headings, *part.headings))


def chunk_title(part: Section, *, title: str) -> str:
    """`document > section > subsection`, the document's own heading not twice."""
    rest = part.headings[1:] if part.headings[:1] == (title,) else part.headings
    return " > ".join((title, *rest))


@lru_cache(maxsize=4)
def counter(tokenizer: str) -> Tokens:
    return TokenizerFile(tokenizer) if tokenizer else ApproximateTokens()


def _plain(text: str) -> list[Section]:
    return [Section((), text)]


_Rule = Callable[[ReadDocument, Chunking, ChunkingPolicy, int], Iterator[ReadChunk]]
_RULES: dict[str, _Rule] = {
    "headings": _by_headings,
    "pages": _as_given,
    "first_tokens": _first_tokens,
    "given": _as_given,
    "sentence_windows": _windows,
    "abstracts": _whole,
}
_SECTIONS: dict[str, Callable[[str], list[Section]]] = {
    "plain": _plain,
    "markdown": sections,
    "code": code_sections,
}
