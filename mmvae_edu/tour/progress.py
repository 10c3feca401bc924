"""The learner's progress as a section of the report."""

from ..course import progress
from ..course.status import by_lesson, predictions, statuses
from ..report.page import Paragraph, Section, Table

HEADER = ["lesson", "exercises", "right", "wrong", "changed since", "not checked", "not attempted"]


def progress_sections():
    """Make one section if a folder of exercises is found; none without, or with several."""
    try:
        folder = progress.find_folder()
    except ValueError:
        return []
    rows = statuses(folder)
    right = sum(row.state == "right" and not row.changed for row in rows)
    words = (
        f"{right} of {len(rows)} exercises are right; {predictions(folder)}. “Changed since”: the "
        "file, or the checker, has changed since the last check."
    )
    blocks = [Paragraph(words), lesson_table(rows)]
    wrong = [row for row in rows if row.state == "wrong"]
    return [Section("Your progress", [*blocks, *([wrong_table(wrong)] if wrong else [])])]


def lesson_table(rows):
    """Count each lesson's exercises by state, and the hints that were shown."""
    table = []
    for lesson, group in by_lesson(rows).items():
        counts = dict.fromkeys(HEADER[2:], 0)
        for row in group:
            column = "changed since" if row.changed else row.state
            counts[column if column in counts else "not checked"] += 1  # the checker itself failed
        numbers = [len(group), *counts.values(), sum(len(row.hints) for row in group)]
        table.append([lesson, *(str(n) if n else "–" for n in numbers)])
    return Table("Exercises by lesson", [*HEADER, "hints"], table)


def wrong_table(rows):
    """List the mistakes that the last check found in wrong exercises."""
    table = [[row.exercise.id, row.says or "–"] for row in rows]
    return Table("What the last check found", ["exercise", "mistake"], table)
