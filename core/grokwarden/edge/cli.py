"""The ``grokwarden`` command: a group whose subcommands are found by entry point and loaded only when they run.

So the core imports no plane, ``grokwarden validate`` loads no HTTP stack, and a command of an extra that is not
installed is listed all the same and says what to install.
"""

import errno
import sys
from collections.abc import Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import Annotated, Any, Final

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from grokwarden import __version__
from grokwarden.edge.output import Exit, fail, give_up_output, print_error
from grokwarden.errors import GrokwardenError

ENTRY_POINTS: Final = "grokwarden.commands"

SUMMARIES: Final[Mapping[str, str]] = {
    "run": "Run the proxy on this machine, with packs from files.",
    "sidecar": "Run the proxy in a pod, with packs from the operator.",
    "operator": "Run the control plane: packs and targets of a cluster, to its sidecars.",
    "simulate": "Run a simulated Grok API, with faults on request.",
    "demo": "Show a governed call from end to end, and check it.",
    "validate": "Check resource files, and say what they enforce.",
    "test": "Run the tests that packs carry.",
    "explain": "Show for one request which step decides what, and why.",
    "import": "Convert a policy-config.yaml to resources.",
    "audit": "Verify and read audit logs.",
}
"""One line per command, so that ``--help`` loads none of them. The order is the order of the list."""

_UNWRITABLE: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EIO})

EXTRAS: Final[Mapping[str, str]] = {"grokwarden_sidecar": "sidecar", "grokwarden_operator": "operator"}
"""The extra that brings what the package of a plane imports."""


class LazyGroup(TyperGroup):
    """Lists commands without loading them."""

    def __init__(self, **settings: Any) -> None:  # noqa: ANN401 - whatever typer passes on
        super().__init__(**settings)
        self._found = _found_commands()
        self.commands = {name: _placeholder(name, point) for name, point in self._found.items()}

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:  # noqa: ANN401 - typer's own types are private
        """The command itself, loaded now."""
        name, command, rest = super().resolve_command(ctx, args)
        return name, self._load(name) if name in self._found else command, rest

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401 - typer's own types are private
        """Run the command; a reader of its output that has left is no error of its own."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            give_up_output()
            raise SystemExit(Exit.UNREAD) from None

    def _load(self, name: str) -> object:
        point = self._found[name]
        try:
            target = point.load()
        except ModuleNotFoundError as error:
            fail(missing_extra(name, point, error))
        if isinstance(target, typer.Typer):
            return get_command(target)
        single = typer.Typer(add_completion=False)
        single.command(name)(target)
        return get_command(single)


def missing_extra(command: str, point: EntryPoint, error: ModuleNotFoundError) -> str:
    """What to install for a command; an import that no extra brings is a defect and is raised again."""
    missing = (error.name or "").partition(".")[0]
    extra = EXTRAS.get(point.module.partition(".")[0])
    if extra is None or missing == "grokwarden":
        raise error
    return (
        f"grokwarden {command} needs what the extra {extra} brings (the module {missing} is missing): "
        f"pip install 'grokwarden[{extra}]'"
    )


def _found_commands() -> dict[str, EntryPoint]:
    found = {point.name: point for point in entry_points(group=ENTRY_POINTS)}
    order = list(SUMMARIES)
    return dict(sorted(found.items(), key=lambda item: (order.index(item[0]) if item[0] in order else 99, item[0])))


def _placeholder(name: str, point: EntryPoint) -> TyperCommand:
    summary = SUMMARIES.get(name, f"From {point.module}.")
    return TyperCommand(name, help=summary, short_help=summary)


def _print_version(is_wanted: bool) -> None:
    if is_wanted:
        typer.echo(f"grokwarden {__version__}")
        raise typer.Exit


app = typer.Typer(
    name="grokwarden",
    cls=LazyGroup,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def grokwarden(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Governs Grok traffic: packs of policies, checked here and enforced by the sidecar.

    Exit codes: 0 fine, 1 findings or failed tests, 2 bad usage or unreadable input.
    """


def main() -> None:
    """Run the command line. What a person has to mend is one message, never a traceback."""
    try:
        try:
            app()
        finally:
            sys.stdout.flush()
    except GrokwardenError as error:
        print_error(str(error))
        raise SystemExit(Exit.UNUSABLE) from None
    except BrokenPipeError:
        give_up_output()
        raise SystemExit(Exit.UNREAD) from None
    except OSError as error:
        if error.errno not in _UNWRITABLE:
            raise
        give_up_output()
        print_error(f"the output could not be written: {error.strerror}")
        raise SystemExit(Exit.FINDINGS) from None
