"""One reader per format: a file in, documents with chunks out. Readers know no database."""

from store.readers.base import ReadChunk, ReadDocument, Reader, ReadError
from store.readers.registry import READERS, reader_of

__all__ = ["READERS", "ReadChunk", "ReadDocument", "ReadError", "Reader", "reader_of"]
