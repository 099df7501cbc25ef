"""Where the walk takes place: a simulated provider, a sidecar before it, and an application that knows neither."""

import secrets
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from grokwarden_sidecar.demo.application import Application
from grokwarden_sidecar.demo.instruments import Admin, AuditLog, Provider
from grokwarden_sidecar.demo.pack import NAME, PackFile, with_base_url
from grokwarden_sidecar.demo.processes import Child, running


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Everything that a step needs.

    Attributes:
        folder: Temporary; everything that is written is in it.
        base_url: Where applications call.
        provider_key: What the provider accepts; only the sidecar has it.
        application_key: What the application sends.
    """

    folder: Path
    base_url: str
    provider_key: str
    application_key: str
    application: Application
    provider: Provider
    admin: Admin
    audit: AuditLog
    pack: PackFile
    simulator: Child
    sidecar: Child


@contextmanager
def open_stage(folder: Path, pack: str) -> Iterator[Stage]:
    """Simulator and sidecar run until the block ends, on free ports.

    Args:
        folder: Empty; who made it removes it.
        pack: Resources whose target is pointed at the simulator.

    Raises:
        DemoError: One of them did not start.
    """
    provider_key, application_key = f"xai-{secrets.token_hex(16)}", "no-key-of-mine"
    audit = folder / "audit"
    with ExitStack() as stack:
        simulate = ("simulate", "--listen", "127.0.0.1:0", "--key", provider_key)
        simulator = stack.enter_context(running(*simulate, folder=folder))
        provider_url = simulator.find_output(r"(http://[^/\s]+)/v1")[1]
        file = PackFile(folder / "packs" / NAME, with_base_url(pack, f"{provider_url}/v1"))
        ports = ("--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0")
        run = ("run", "--config", str(file.path.parent), *ports, "--audit-dir", str(audit), "--log-format", "json")
        sidecar = stack.enter_context(running(*run, folder=folder, extra={"XAI_API_KEY": provider_key}))
        addresses = sidecar.find_output(r"(http://\S+/v1) \(admin (http://[^;\s]+)")
        application = Application(addresses[1], application_key)
        stack.callback(application.close)
        yield Stage(
            folder=folder,
            base_url=addresses[1],
            provider_key=provider_key,
            application_key=application_key,
            application=application,
            provider=Provider(provider_url),
            admin=Admin(addresses[2]),
            audit=AuditLog(audit),
            pack=file,
            simulator=simulator,
            sidecar=sidecar,
        )
