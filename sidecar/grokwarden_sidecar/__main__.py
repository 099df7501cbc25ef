"""The process that serves, and nothing else: ``grokwarden run`` and ``sidecar`` give their place to it.

So the proxy holds neither the command line's libraries nor what they import, a tenth of its memory.
"""

import sys

# structlog would load all of it, 3 MB, and nothing here prints with it
sys.modules.setdefault("rich", None)  # type: ignore[arg-type]

from grokwarden.audit.errors import AuditUnavailableError  # noqa: E402
from grokwarden.edge.logs import configure_logs  # noqa: E402
from grokwarden.errors import SettingsError  # noqa: E402
from grokwarden_sidecar.main import Serving, run  # noqa: E402
from grokwarden_sidecar.settings import LaunchOptions, decode_options  # noqa: E402
from grokwarden_sidecar.supply import StartRefused  # noqa: E402

EXIT_FINDINGS = 1
EXIT_UNUSABLE = 2


def main(options: LaunchOptions) -> int:
    """The exit code, once the proxy has served and drained."""
    configure_logs(level=options.log_level, form=options.log_format)
    try:
        run(options.settings(), on_serving=_announce)
    except SettingsError as error:
        _tell(str(error))
        return EXIT_UNUSABLE
    except StartRefused as error:
        for problem in error.problems:
            _tell(problem)
        _tell("nothing was started: the configuration can't be used")
        return EXIT_UNUSABLE if error.is_unreadable else EXIT_FINDINGS
    except AuditUnavailableError as error:
        _tell(str(error))
        return EXIT_FINDINGS
    return 0


def _announce(serving: Serving) -> None:
    sys.stdout.write(
        f"grokwarden: governing http://{serving.listen}/v1 (admin http://{serving.admin}; Ctrl-C drains and stops it)\n"
    )
    sys.stdout.flush()


def _tell(message: str) -> None:
    sys.stderr.write(f"error: {message}\n")


if __name__ == "__main__":
    sys.exit(main(decode_options(sys.argv[1])))
