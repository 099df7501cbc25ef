"""Orders the pages of the docs, as a hook of MkDocs.

A page is found by being there: a new one comes before the reference, and a known one that isn't there breaks nothing.
"""

from typing import Final

from mkdocs.structure.nav import Navigation, Section
from mkdocs.structure.pages import Page

PAGES: Final = (
    "index.md",
    "tutorial.md",
    "packs.md",
    "policies/",
    "clients.md",
    "routing.md",
    "operator.md",
    "sidecar-in-a-pod.md",
    "audit.md",
    "metrics.md",
    "security.md",
    "architecture.md",
    "config-stream.md",
    "simulator.md",
    "performance.md",
    "development.md",
    "reference/",
    "adr/",
)
TITLES: Final = {"policies/": "Policies", "reference/": "Reference", "adr/": "Decisions"}


def on_nav(nav: Navigation, **_: object) -> Navigation:
    """The navigation in the order of ``PAGES``, folders with a title for people."""
    nav.items.sort(key=_rank)
    for item in nav.items:
        if isinstance(item, Section):
            item.title = TITLES.get(_place(item), item.title)
    _link_neighbours(nav)
    return nav


def _rank(item: object) -> tuple[int, str]:
    place = _place(item)
    return (PAGES.index(place if place in PAGES else "reference/"), place)


def _place(item: object) -> str:
    """The file of a page, the folder of a section."""
    if isinstance(item, Page):
        return item.file.src_uri
    if isinstance(item, Section) and item.children:
        return _place(item.children[0]).split("/")[0] + "/"
    return ""


def _link_neighbours(nav: Navigation) -> None:
    """Previous and next of each page, in the order in which the pages now stand."""
    nav.pages[:] = [page for item in nav.items for page in _pages(item)]
    for before, page, after in zip([None, *nav.pages], nav.pages, [*nav.pages[1:], None], strict=False):
        page.previous_page, page.next_page = before, after


def _pages(item: object) -> list[Page]:
    if isinstance(item, Page):
        return [item]
    return [page for child in (item.children if isinstance(item, Section) else None) or () for page in _pages(child)]
