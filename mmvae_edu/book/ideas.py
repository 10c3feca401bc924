"""The index of ideas: in which sections of their lessons the words of lessons.toml stand."""

import re

from .frame import HEADING, words


def ideas_of(lessons, pages):
    """Return {idea: links to sections}, and sentences about ideas that no section holds."""
    found, missing = {}, []
    for lesson, page in zip(lessons, pages, strict=True):
        marks = list(HEADING.finditer(page.body))
        for idea in lesson.ideas:
            pattern = re.compile(rf"\b{re.escape(idea)}", re.IGNORECASE)
            for mark, end in zip(marks, [*marks[1:], None], strict=True):
                text = page.body[mark.start() : end.start() if end else None]
                if pattern.search(words(text)):
                    place = f"{page.name}#{mark[1]}" if mark[1] else page.name
                    link = f'<a href="{place}">L{lesson.number}</a>'
                    found.setdefault(idea, []).append(link)
                    break
            else:
                missing.append(f"lessons.toml: L{lesson.number} does not speak of {idea!r}")
    return found, missing
