"""Sections of a report kept beside the tour's figures; a later report need not train again."""

import json
from dataclasses import asdict
from pathlib import Path

from ..support import files
from ..version import __version__
from .page import Paragraph, Section, Table
from .plots import Picture

KINDS = {kind.__name__: kind for kind in (Paragraph, Table)}


def save(path, sections):
    """Write sections of paragraphs, tables and pictures as JSON, beside their pictures."""
    rows = [{"title": s.title, "blocks": [_row(block) for block in s.blocks]} for s in sections]
    text = json.dumps({"mmvae_edu": __version__, "sections": rows}, indent=1) + "\n"
    files.write_text(path, text)


def load(path):
    """Read the sections of a record; ValueError if it is damaged, or of another version."""
    try:
        content = files.read_json(path)
        if content["mmvae_edu"] == __version__:
            folder = Path(path).parent
            return [
                Section(s["title"], [_block(row, folder) for row in s["blocks"]])
                for s in content["sections"]
            ]
        problem = f"is by mmvae_edu {content['mmvae_edu']}, this is {__version__}"
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as damage:
        problem = f"is not a whole record of a tour ({type(damage).__name__}: {damage})"
    raise ValueError(f"{path} {problem}; run `mmvae-edu tour` again")


def _row(block):
    if isinstance(block, Picture):
        return {"file": block.path.name, "alt": block.alt, "caption": block.caption}
    return {"kind": type(block).__name__, **asdict(block)}


def _block(row, folder):
    if not _is_text(list(row.values())):
        raise ValueError("a block holds other than text")
    if "file" not in row:
        return KINDS[row.pop("kind")](**row)
    picture = Picture(folder / row["file"], row["alt"], row["caption"])
    if not picture.path.is_file():
        raise ValueError(f"{row['file']} is gone")
    return picture


def _is_text(value):
    return isinstance(value, str) or isinstance(value, list) and all(map(_is_text, value))
