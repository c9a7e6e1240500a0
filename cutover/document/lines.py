"""Lines of a text: where they start, how they end, how far they are indented."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Lines:
    """The lines of `text`, which always ends in a newline here; offsets count characters, lines count from 0."""

    text: str
    starts: tuple[int, ...]

    @classmethod
    def of(cls, text: str) -> Lines:
        """Index `text`."""
        starts = [0]
        at = text.find("\n")
        while at >= 0:
            starts.append(at + 1)
            at = text.find("\n", at + 1)
        return cls(text, tuple(starts))

    def number(self, offset: int) -> int:
        """Return the line that holds `offset`."""
        return bisect_right(self.starts, offset) - 1

    def start(self, line: int) -> int:
        """Return the offset of the line's first character; of the text's end behind the last line."""
        return self.starts[line] if line < len(self.starts) else len(self.text)

    def count(self) -> int:
        """Return how many lines there are."""
        return len(self.starts) - 1

    def content(self, line: int) -> str:
        """Return the line without its line end."""
        return self.text[self.start(line) : self.start(line + 1)].rstrip("\r\n")

    def newline(self, line: int) -> str:
        """Return how the line ends."""
        return "\r\n" if self.text[self.start(line) : self.start(line + 1)].endswith("\r\n") else "\n"

    def column(self, offset: int) -> int:
        """Return how many characters stand before `offset` on its line."""
        return offset - self.start(self.number(offset))

    def before(self, offset: int) -> str:
        """Return what stands before `offset` on its line."""
        return self.text[self.start(self.number(offset)) : offset]

    def after(self, offset: int) -> str:
        """Return what stands from `offset` to the end of its line, without the line end."""
        return self.text[offset : self.start(self.number(offset) + 1)].rstrip("\r\n")

    def blank(self, line: int) -> bool:
        """Say whether the line is there and has nothing but blanks."""
        return line < self.count() and not self.content(line).strip()

    def comment_column(self, line: int) -> int | None:
        """Return the column of `#` where the line holds nothing but a comment."""
        content = self.content(line) if line < self.count() else ""
        bare = content.lstrip()
        return len(content) - len(bare) if bare.startswith("#") else None

    def past_comments(self, line: int, column: int) -> int:
        """Return the first line from `line` on that is no comment indented deeper than `column`.

        Such comments are commented-out parts of what stands above them and stay with it. Blank lines between them
        belong to them, those behind the last one do not.
        """
        past = line
        while line < self.count():
            found = self.comment_column(line)
            if found is not None and found > column:
                past = line + 1
            elif not self.blank(line):
                break
            line += 1
        return past
