"""The README keeps its promises: its example runs, its links lead somewhere."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_example_on_your_own_data(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    code = re.search(r"<!-- test: own data -->\n```python\n(.*?)```", README, re.DOTALL)[1]
    assert len([line for line in code.splitlines() if line.strip()]) <= 15
    names = {}
    exec(code, names)
    ink, kind = names["imagined"].mean(axis=1), names["kind"][:8]
    assert names["imagined"].shape == (8, 12)
    assert ink[kind == 1].min() > 0.5 > ink[kind == 0].max()
    assert capsys.readouterr().out


@pytest.mark.parametrize("link", re.findall(r"\]\(([^)#h][^)#]*)\)", README))
def test_links(link):
    assert (ROOT / link).exists()


def test_the_commands_that_ci_runs_are_there():
    for name in "tour", "test":
        assert f"<!-- ci: {name} -->\n```bash\n" in README
