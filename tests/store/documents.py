"""Tiny documents for the tests: PDFs written by hand, so that pages can be broken and files encrypted."""

from __future__ import annotations

from collections.abc import Sequence


def a_pdf(pages: Sequence[str | None], *, title: str = "", encrypted: bool = False) -> bytes:
    """A PDF with one line of text a page; None makes a page whose object is damaged."""
    kids = " ".join(f"{4 + 2 * n} 0 R" for n in range(len(pages)))
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    for n, text in enumerate(pages):
        stream = f"BT /F1 12 Tf 72 700 Td ({text or ''}) Tj ET"
        page = (
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents {5 + 2 * n} 0 R "
            "/Resources << /Font << /F1 3 0 R >> >> >>"
        )
        objects += [page if text is not None else "<< /Type /Nonsense >>"]
        objects += [f"<< /Length {len(stream)} >>\nstream\n{stream}\nendstream"]
    objects.append(f"<< /Title ({title}) >>")
    info = len(objects)
    if encrypted:
        objects.append(f"<< /Filter /Standard /V 1 /R 2 /O <{'ab' * 32}> /U <{'cd' * 32}> /P -44 >>")
    return _assembled(objects, info=info, encrypted=encrypted)


def a_placed_page(cells: Sequence[tuple[str, float, float]], *, quarters: int) -> bytes:
    """A PDF of one page: texts at (x, y) of the upright page, then turned clockwise by so many quarters."""
    width, height = 612, 792
    place = (
        lambda x, y: f"1 0 0 1 {x} {y}",
        lambda x, y: f"0 -1 1 0 {y} {height - x}",
        lambda x, y: f"-1 0 0 -1 {width - x} {height - y}",
        lambda x, y: f"0 1 -1 0 {width - y} {x}",
    )[quarters]
    stream = "\n".join(f"BT /F1 12 Tf {place(x, y)} Tm ({text}) Tj ET" for text, x, y in cells)
    page = f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {width} {height}] /Contents 5 0 R "
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        "<< /Type /Pages /Kids [4 0 R] /Count 1 >>",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
        f"{page}/Resources << /Font << /F1 3 0 R >> >> >>",
        f"<< /Length {len(stream)} >>\nstream\n{stream}\nendstream",
        "<< /Title () >>",
    ]
    return _assembled(objects, info=len(objects), encrypted=False)


def _assembled(objects: Sequence[str], *, info: int, encrypted: bool) -> bytes:
    out = bytearray(b"%PDF-1.4\n")
    offsets = []
    for number, body in enumerate(objects, start=1):
        offsets.append(len(out))
        out += f"{number} 0 obj\n{body}\nendobj\n".encode("latin-1")
    start = len(out)
    out += f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n".encode()
    out += b"".join(f"{offset:010d} 00000 n \n".encode() for offset in offsets)
    lock = f"/Encrypt {len(objects)} 0 R /ID [<00><00>]" if encrypted else ""
    out += f"trailer\n<< /Size {len(objects) + 1} /Root 1 0 R /Info {info} 0 R {lock} >>\n".encode()
    out += f"startxref\n{start}\n%%EOF\n".encode()
    return bytes(out)
