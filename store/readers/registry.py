"""Which reader reads which file, by extension."""

from __future__ import annotations

from pathlib import Path

from store.readers.base import Reader
from store.readers.code import CodeReader
from store.readers.csv import CsvReader
from store.readers.html import HtmlReader
from store.readers.jsonl import JsonlReader
from store.readers.markdown import MarkdownReader
from store.readers.office import OfficeReader, docx_chunks, pptx_chunks, xlsx_chunks
from store.readers.pdf import PdfReader
from store.readers.text import TextReader

# fmt: off
CODE = [
    ".py", ".pyi", ".js", ".mjs", ".cjs", ".jsx", ".ts", ".tsx", ".java", ".kt", ".go", ".rs", ".c", ".h", ".cc",
    ".cpp", ".hpp", ".cs", ".rb", ".php", ".swift", ".scala", ".sh", ".sql",
]
# fmt: on

READERS: dict[str, Reader] = {
    ".pdf": PdfReader(),
    ".md": MarkdownReader(),
    ".markdown": MarkdownReader(),
    ".txt": TextReader(),
    ".text": TextReader(),
    ".rst": TextReader(),
    ".html": HtmlReader(),
    ".htm": HtmlReader(),
    ".xhtml": HtmlReader(),
    ".jsonl": JsonlReader(),
    ".ndjson": JsonlReader(),
    ".csv": CsvReader(),
    ".tsv": CsvReader(),
    ".docx": OfficeReader("docx", "python-docx", docx_chunks),
    ".xlsx": OfficeReader("xlsx", "openpyxl", xlsx_chunks),
    ".pptx": OfficeReader("pptx", "python-pptx", pptx_chunks),
    **dict.fromkeys(CODE, CodeReader()),
}


def reader_of(path: Path) -> Reader | None:
    """None for a format that is not supported."""
    return READERS.get(path.suffix.lower())
