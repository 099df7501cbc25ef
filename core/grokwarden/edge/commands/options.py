"""Options that several commands share, and what they mean."""

from typing import Annotated, Final

import typer

PathsArgument = Annotated[
    list[str], typer.Argument(metavar="PATH…", help="Files or directories with resources; - is standard input.")
]
NamespaceOption = Annotated[
    str | None, typer.Option("--namespace", "-n", help="The pod's namespace, where the files name several or none.")
]
PodLabelsOption = Annotated[
    str | None, typer.Option("--pod-labels", metavar="K=V,…", help="The pod's labels; without them every pack applies.")
]

_EXPECTED: Final = "expected k=v,…, such as app=bot,team=shop"


def parse_pod_labels(text: str | None) -> dict[str, str] | None:
    """The labels of ``--pod-labels``; ``None`` without it.

    Raises:
        typer.BadParameter: The text is no list of labels, or gives a label twice.
    """
    if text is None:
        return None
    labels: dict[str, str] = {}
    for item in filter(None, (part.strip() for part in text.split(","))):
        key, equals, value = (part.strip() for part in item.partition("="))
        if not (key and equals):
            raise typer.BadParameter(f'"{item}" is no label; {_EXPECTED}', param_hint="--pod-labels")
        if labels.setdefault(key, value) != value:
            raise typer.BadParameter(f"{key} is given twice", param_hint="--pod-labels")
    return labels
