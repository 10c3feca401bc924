"""Markdown as HTML: LaTeX between dollar signs as MathML; lessons and equations become links."""

import re
from html import escape

from markdown_it import MarkdownIt

from ..report.page import mathml

CODE = r"(?P<code>```.*?```|`[^`\n]+`)"
DISPLAYED = r"\$\$(?P<displayed>.+?)\$\$(?:\s*\((?P<id>S\d+\.[\w-]+)\))?"
INLINE = r"\$(?P<inline>[^$]+?)\$"
LONG = 36  # signs of LaTeX that may be wider than a phone, where MathML breaks no line
STASHED = re.compile("\x02(\\d+)\x03")


class Prose:
    """A renderer; `link(words, code)` returns the address that words mean, or None.

    problems: sentences about the equations that cannot be rendered.
    """

    def __init__(self, link):
        self.link, self.problems, self.math, self.ids = link, [], [], set()
        self.markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
        self.markdown.renderer.rules |= {
            "text": self._text,
            "code_inline": self._code,
            "image": self._image,
            "table_open": self._table,
            "table_close": self._table,
        }

    def html(self, text):
        """Render Markdown; headings of the second rank get ids, for `frame`."""
        stashed = re.sub(f"{CODE}|{DISPLAYED}|{INLINE}", self._stash, text, flags=re.DOTALL)
        html = self.markdown.render(stashed)
        html = STASHED.sub(lambda found: self.math[int(found[1])], html)
        return re.sub(r"<h2>(.*?)</h2>", self._heading, html)

    def _stash(self, found):
        """Put an equation aside: Markdown would read its signs as its own."""
        if found["code"]:
            return found[0]
        display, latex = bool(found["displayed"]), found["displayed"] or found["inline"]
        try:
            html = mathml(latex, "block" if display else "inline")
        except ValueError as problem:
            self.problems.append(str(problem))
            html = f'<code class="fails">{escape(latex)}</code>'
        if display or len(latex) > LONG:
            html = f'<span class="{"equation" if display else "long"}">{html}</span>'
        if id := found["id"]:
            anchor = "" if id in self.ids else f' id="{id}"'
            self.ids.add(id)
            number = f'<a class="id" href="{self.link(id, False)}">{id}</a>'
            html = f'<span class="numbered"{anchor}>{html}{number}</span>'
        self.math.append(html)
        return f"\x02{len(self.math) - 1}\x03"

    def _heading(self, found):
        return f'<h2 id="{self.anchor(found[1])}">{found[1]}</h2>'

    def anchor(self, title):
        """Return a heading's id that no other element of the page has."""
        words = re.sub(r"<math.*?</math>|<[^>]+>|&\w+;", "", title).lower()
        slug = "-".join(re.findall(r"\w+", words)) or "section"
        while slug in self.ids:
            slug += "-2"
        self.ids.add(slug)
        return slug

    def _text(self, tokens, i, options, env):
        text = escape(tokens[i].content, quote=False)
        if i and tokens[i - 1].type == "link_open":
            return text
        return re.sub(
            r"\b(?:L\d\d|S\d+\.\w+(?:-\w+)*)\b", lambda found: self._linked(found[0]), text
        )

    def _linked(self, words, code=False):
        address = self.link(words, code)
        return f'<a href="{address}">{words}</a>' if address else words

    def _code(self, tokens, i, options, env):
        words = escape(tokens[i].content, quote=False)
        inside = i and tokens[i - 1].type == "link_open"
        return f"<code>{words if inside else self._linked(words, True)}</code>"

    def _image(self, tokens, i, options, env):
        source, alt = tokens[i].attrs["src"], escape(tokens[i].content)
        return f'<span class="scroll"><img src="{source}" alt="{alt}"></span>'

    def _table(self, tokens, i, options, env):
        return '<div class="scroll"><table>\n' if tokens[i].nesting == 1 else "</table></div>\n"
