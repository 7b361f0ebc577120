"""What people do to YAML by hand, and what they are told: the place, the problem, the mend."""

from __future__ import annotations

from pathlib import Path

import pytest

from prompts.yaml_text import MOST_MARKS, read_text, read_yaml
from store.errors import UsageError

BROKEN = [
    ("a:\n\tb: 1\n", r"f:2:1: not valid YAML: a tab; indent with spaces"),
    ("a: @b\n", r"f:1:4: not valid YAML: nothing can begin with '@'; put the text in quotes"),
    ("a: b\n c: d\n", r"f:2:3: not valid YAML: mapping values are not allowed .*; indent the keys of one level alike"),
    ("a: for short: b\n", r"f:1:13: .*put text that holds ': ' in quotes"),
    ("a: {b: {c: 1}\n", r"f:2:1: .*; the bracket of line 1, column 4 is not closed"),
    ("a: 1\n---\nb: 2\n", r"f:2:1: .*another document; a file holds one; take the line '---' out"),
    ("a: *b\n", r"f:1:4: .*undefined alias; name an anchor \(&name\)"),
    ("a: !x b\n", r"f:1:4: .*; plain YAML has no such tag"),
    ("a: !!python/object/apply:os.system [ls]\n", r"f:1:4: .*; plain YAML has no such tag"),
    ("a: {on: b}\n", r"f:1:5: key 'on': YAML takes it for a value of type bool; put it in quotes$"),
    ("1: a\n", r"f:1:1: key '1': YAML takes it for a value of type int; put it in quotes$"),
    ("? [a]\n: b\n", r"f:1:3: a key has to be plain text$"),
    ("a: 1\na: 2\n", r"f:2:1: key 'a': given twice; keep one$"),
    ("a: &x {b: *x}\n", r"f:1:8: key 'b': this alias stands inside of what it names; write it out$"),
    ("", r"f:1:1: expected keys and values, found nothing$"),
    ("# nothing but a comment\n", r"f:1:1: expected keys and values, found nothing$"),
    ("some text\n", r"f:1:1: expected keys and values, found 'some text'$"),
    ("- a\n", r"f:1:1: expected keys and values, found a list$"),
]


@pytest.mark.parametrize(("text", "message"), BROKEN)
def test_a_mistake_is_told_with_its_place_and_the_mend(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        read_yaml(text, source="f")


def test_lines_are_counted_from_where_the_text_begins() -> None:
    with pytest.raises(UsageError, match=r"^f:6:1: not valid YAML: a tab"):
        read_yaml("a:\n\tb: 1\n", source="f", first_line=5)


def test_aliases_of_aliases_end_before_the_memory_does() -> None:
    levels = "\n".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12))
    with pytest.raises(UsageError, match=rf"more than {MOST_MARKS:,} keys and items, aliases written out"):
        read_yaml(f"a0: &a0 [1, 1]\n{levels}\n", source="f")


def test_anchors_aliases_and_merge_keys_are_read() -> None:
    document = read_yaml("a: &x {k: 1}\nb: *x\nc:\n  <<: *x\n  l: 2\n", source="f")
    assert document.data == {"a": {"k": 1}, "b": {"k": 1}, "c": {"k": 1, "l": 2}}
    assert document.mark(("b", "k")) == (1, 8) and document.mark(("c", "l")) == (5, 3)


def test_what_is_no_utf_8_is_told_with_its_place(tmp_path: Path) -> None:
    file = tmp_path / "f.yaml"
    file.write_bytes("a: 1\nb: café\n".encode("latin-1"))
    with pytest.raises(UsageError, match=r"f\.yaml:2:7: can't be read: byte 0xe9 is no UTF-8; save the file as UTF-8$"):
        read_text(file)
    with pytest.raises(UsageError, match=r"can't be read: No such file or directory$"):
        read_text(tmp_path / "none.yaml")
    file.write_bytes(b"\xef\xbb\xbfa: 1\r\nb: 2\r\n")
    assert read_text(file) == "a: 1\nb: 2\n"
