"""The page in a real browser, where one is installed: its filters work from a file, and no model text acts."""

from __future__ import annotations

import base64
import hashlib
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from evals.report.html.browser import entries
from evals.report.html.page import html_report
from evals.report.joined import join
from tests.evals.report_kit import HOSTILE, document

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(BROWSER is None, reason="no chromium or google-chrome on this machine"),
]
PICK = """<script>
document.querySelector('[name=state0]').value = 'wrong'; document.querySelector('[name=state1]').value = 'right';
document.getElementById('filters').dispatchEvent(new Event('submit', {cancelable: true}));
</script></body>"""
# The page's policy lets only its own script run; the test's is one more.
OWN = base64.b64encode(hashlib.sha256(PICK[len("<script>") : PICK.index("</script>")].encode()).digest()).decode()


def dom(page: str, path: Path) -> str:
    """After its scripts have run."""
    path.write_text(page, encoding="utf-8")
    command = [str(BROWSER), "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={path.parent}/profile"]
    ended = subprocess.run(
        [*command, "--dump-dom", path.as_uri()], capture_output=True, text=True, timeout=50, check=True
    )
    return ended.stdout


def test_what_one_got_right_and_the_other_wrong_is_a_filter(tmp_path: Path) -> None:
    joined = join([document(["base", "best"], questions=70, text=HOSTILE)])
    wanted = [one.number for one in entries(joined, {}) if one.states == "wrong right"]
    page = html_report(joined).replace("</body>", PICK).replace("script-src ", f"script-src 'sha256-{OWN}' ")
    found = dom(page, tmp_path / "page.html")
    shown = found[found.index('<div id="list">') : found.index('id="more"')]
    assert 0 < len(wanted) < 50
    assert [int(number) for number in re.findall(r'class="question" id="q(\d+)"', shown)] == wanted
    assert f"{len(wanted)} of 70 questions" in found
    assert "<script>alert" not in shown
    assert "<img" not in shown


def test_many_questions_are_shown_by_and_by(tmp_path: Path) -> None:
    found = dom(html_report(join([document(questions=120)])), tmp_path / "page.html")
    shown = found[found.index('<div id="list">') : found.index('id="more"')]
    assert shown.count('class="question"') == 50
    assert "120 of 120 questions, the first 50 are shown" in found


def test_a_script_that_is_not_the_pages_own_does_not_run(tmp_path: Path) -> None:
    found = dom(html_report(join([document(questions=70)])).replace("</body>", PICK), tmp_path / "page.html")
    assert "70 of 70 questions" in found
