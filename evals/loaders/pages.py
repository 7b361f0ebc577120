"""The pages of the PDFs in a folder, read once, and no more of a file than is asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from store.errors import UsageError
from store.readers.pdf import page_text

if TYPE_CHECKING:
    from pypdfium2 import PdfDocument


class PdfPages(Mapping[int, str]):
    """1-based page -> its text, read when asked for. PDFium's own text, as it is quoted. Close it after use."""

    def __init__(self, path: Path) -> None:
        """Raises: UsageError for a file that is no readable PDF."""
        from pypdfium2 import PdfDocument, PdfiumError

        self.name = path.stem
        try:
            self._pdf: PdfDocument = PdfDocument(path)
        except (PdfiumError, OSError) as exc:
            raise UsageError(f"{path}: cannot be read as PDF: {exc}") from exc
        self._texts: dict[int, str] = {}

    def __getitem__(self, page: int) -> str:
        if not 1 <= page <= len(self._pdf):
            raise KeyError(page)
        if page not in self._texts:
            self._texts[page] = page_text(self._pdf, number=page)[0]
        return self._texts[page]

    def __iter__(self) -> Iterator[int]:
        return iter(range(1, len(self._pdf) + 1))

    def __len__(self) -> int:
        return len(self._pdf)

    def close(self) -> None:
        self._pdf.close()


class PdfFolder:
    """PDFs by name without extension, in any case, wherever they lie under the folder. A context: it closes them."""

    def __init__(self, folder: Path) -> None:
        self._paths = {
            path.stem.casefold(): path for path in sorted(folder.rglob("*")) if path.suffix.lower() == ".pdf"
        }
        self._open: dict[str, PdfPages] = {}
        self._exits = ExitStack()

    def __enter__(self) -> PdfFolder:
        return self

    def __exit__(self, *_: object) -> None:
        self._exits.close()

    def __len__(self) -> int:
        return len(self._paths)

    def pages(self, name: str) -> PdfPages | None:
        """None for a document that is not in the folder."""
        key = name.casefold()
        if key not in self._open and key in self._paths:
            self._open[key] = PdfPages(self._paths[key])
            self._exits.callback(self._open[key].close)
        return self._open.get(key)

    def page_counts(self) -> dict[str, int]:
        """Of every PDF, by name; no text is read. Raises: UsageError for one that is no readable PDF."""
        counts: dict[str, int] = {}
        for path in self._paths.values():
            pages = PdfPages(path)
            counts[pages.name] = len(pages)
            pages.close()
        return counts
