"""What the demo prints: each step as it ends, what was expected beside what happened. Readable in a plain log too."""

import shutil
from collections.abc import Iterable
from typing import Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from grokwarden_sidecar.demo.expectation import Finding

_PLAIN_WIDTH: Final = 120
_WIDEST: Final = 150
_NARROWEST: Final = 72
_SUBJECT_WIDTH: Final = 10
_MARK_WIDTH: Final = 7
_PADDING: Final = 2


class Report:
    """Writes to standard output as the walk goes on."""

    def __init__(self) -> None:
        columns, lines = shutil.get_terminal_size((_PLAIN_WIDTH, 50))
        self._width = min(max(columns, _NARROWEST), _WIDEST)
        self._console = Console(width=self._width, height=lines, highlight=False, markup=False)

    def line(self, text: str = "", style: str | None = None) -> None:
        """A line of its own, never wrapped."""
        self._console.print(text, style=style, soft_wrap=True)

    def head(self) -> None:
        """The columns have their titles."""
        table = self._table()
        bold = [Text(title, style="bold") for title in ("", "", "EXPECTED", "HAPPENED")]
        table.add_row(*bold)
        self._console.print(table)

    def step(self, number: int, title: str, says: str, findings: Iterable[Finding]) -> None:
        """A step, what it says to the provider, and a row for each finding."""
        table = self._table()
        for finding in findings:
            mark = Text("ok", style="green") if finding.holds else Text("DIFFERS", style="bold red")
            style = "" if finding.holds else "red"
            table.add_row(mark, finding.subject, finding.expected, Text(finding.happened, style=style))
        self._console.print(f"\n{number}. {title}", style="bold")
        if says:
            self.line(f"   > {says}")
        self._console.print(table)

    def _table(self) -> Table:
        """Every step has its own, so that a step is shown when it ends; equal widths make one table of them."""
        table = Table(box=None, show_header=False, padding=(0, _PADDING, 0, 0), pad_edge=False)
        table.add_column(width=_MARK_WIDTH)
        table.add_column(width=_SUBJECT_WIDTH)
        left = self._width - _MARK_WIDTH - _SUBJECT_WIDTH - 3 * _PADDING
        table.add_column(width=left // 2, overflow="fold")
        table.add_column(width=left - left // 2, overflow="fold")
        return table
