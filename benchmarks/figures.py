"""How figures are shown, whatever was measured: tables, aims, and the place in a page that they belong to."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Aim:
    """What we want a figure to be at most."""

    what: str
    value: float
    limit: float
    unit: str

    @property
    def is_met(self) -> bool:
        return self.value <= self.limit

    def __str__(self) -> str:
        verdict = "met   " if self.is_met else "MISSED"
        return f"{verdict}  {self.what}: {self.value:.2f} {self.unit}, at most {self.limit:g}"


def columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """The rows for a terminal, one line each."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def row(cells: Iterable[str]) -> str:
    """A row of a table in Markdown."""
    return f"| {' | '.join(cells)} |"


def ending(aims: Iterable[Aim], facts: Mapping[str, str]) -> list[str]:
    """What a report in Markdown ends with: the aims, and what the figures depend on."""
    return [
        row(["aim", "measured", ""]),
        row(["---", "--:", "---"]),
        *(
            row([f"{aim.what} ≤ {aim.limit:g} {aim.unit}", f"{aim.value:.2f}", "met" if aim.is_met else "**missed**"])
            for aim in aims
        ),
        "",
        *(f"- {name}: {value}" for name, value in facts.items()),
    ]


def write_into(page: Path, place: str, markdown: str) -> None:
    """The page holds these figures between its marks ``<!-- PLACE: begin -->`` and ``<!-- PLACE: end -->``.

    Raises:
        ValueError: The page has no such place.
    """
    begin, end = f"<!-- {place}: begin -->", f"<!-- {place}: end -->"
    text = page.read_text(encoding="utf-8")
    before, has_begin, rest = text.partition(begin)
    _, has_end, after = rest.partition(end)
    if not has_begin or not has_end:
        raise ValueError(f"{page} has no place for figures; expected a line {begin} and a line {end}")
    page.write_text(f"{before}{begin}\n\n{markdown}\n{end}{after}", encoding="utf-8")
