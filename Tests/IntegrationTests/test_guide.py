"""Runs the commands of docs/guide as they stand, and holds the answers there to the real ones.

    WALLET_UPDATE_GUIDE=1 pytest Tests/IntegrationTests/test_guide.py    writes the real ones
"""

import os
import re
import subprocess

import pytest
from wallet_client import BOOTSTRAP_KEY, INHERITED, ROOT

FOLDER = ROOT / "docs/guide"
GUIDES = sorted(page for page in FOLDER.glob("*.md") if page.name != "README.md")
# A block of commands, and right after it what they print, if anything.
BLOCK = re.compile(r"```sh\n(.*?)```\n(?:```(?:json|text)\n(.*?)```\n)?", re.DOTALL)
END = "\x1e"

VARYING = re.compile(
    r"(?P<id>[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12})"
    r"|(?P<time>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z)|(?P<hash>\b[0-9a-f]{64}\b)"
    r"|(?P<microseconds>\b1\d{15}\b)|(?P<key>\bkey_\w+)")


def essential(text):
    """Text in which what differs from run to run has a number by its first occurrence, so that
    the same identifier must still be the same."""
    names = {}
    return VARYING.sub(
        lambda found: names.setdefault(found[0], f"<{found.lastgroup} {len(names) + 1}>"), text)


def run(blocks, url, folder):
    """Runs blocks of commands one after the other in one shell, and tells what each prints."""
    script = "set -euo pipefail\n" + "".join(f"{block}\nprintf '{END}'\n" for block in blocks)
    environment = INHERITED | {"WALLET_URL": url, "WALLET_API_KEY": BOOTSTRAP_KEY}
    done = subprocess.run(
        ["bash", "-c", script], env=environment, cwd=folder, capture_output=True, text=True,
        timeout=60)
    assert done.returncode == 0 and not done.stderr, (done.stdout[-2000:], done.stderr)
    return done.stdout.split(END)[:-1]


def with_answers(text, printed):
    """The page with what its commands print in the place of what it says that they do."""
    answers = iter(printed)

    def block(found):
        answer = next(answers)
        kind = "json" if answer.startswith("{") else "text"
        return f"```sh\n{found[1]}```\n" + (f"```{kind}\n{answer}```\n" if answer else "")

    return BLOCK.sub(block, text)


@pytest.mark.parametrize("page", GUIDES, ids=lambda page: page.stem)
def test_the_commands_of_a_guide_print_what_it_says(page, new_server, tmp_path):
    text = page.read_text()
    functions = BLOCK.findall((FOLDER / "README.md").read_text())[0][0]
    commands = [block for block, _ in BLOCK.findall(text)]
    assert len(commands) >= 4
    server = new_server()
    _, *printed = run([functions, *commands], f"http://127.0.0.1:{server.port}", tmp_path)
    if os.environ.get("WALLET_UPDATE_GUIDE"):
        page.write_text(with_answers(text, printed))
    for (block, said), answer in zip(BLOCK.findall(page.read_text()), printed):
        assert essential(answer) == essential(said), block
    server.check_verifies()


def test_the_list_of_guides_has_every_guide():
    listed = re.findall(r"^- \[[^]]+\]\(([^)]+)\)", (FOLDER / "README.md").read_text(), re.M)
    assert sorted(listed) == [page.name for page in GUIDES]


def test_what_differs_from_run_to_run_must_still_agree():
    one, other = ("019bc138-88c0-7000-8000-000c0000000" + digit for digit in "12")
    assert essential(f"{one} {one}") == essential(f"{other} {other}")
    assert essential(f"{one} {one}") != essential(f"{one} {other}")
    assert essential('{"amount": 1}') != essential('{"amount": 2}')
