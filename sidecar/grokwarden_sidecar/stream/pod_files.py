"""The files that a pod is given: whom it trusts, and who it is. Both are replaced while the process runs."""

import ssl
from pathlib import Path
from typing import Final

from grokwarden_sidecar.stream.errors import StreamError

_MAX_FILE_BYTES: Final = 1024 * 1024


def trust_in(path: Path) -> ssl.SSLContext:
    """Trusts the authorities in this file alone.

    Raises:
        StreamError: It holds none.
    """
    text = _text_in(path, "CA file")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.set_alpn_protocols(["http/1.1"])
    try:
        context.load_verify_locations(cadata=text)
    except (ssl.SSLError, ValueError):
        raise StreamError(f"CA file {path}: holds no PEM certificate that can be read") from None
    return context


def token_in(path: Path) -> str:
    """The token in this file as it is now.

    Raises:
        StreamError: It holds none.
    """
    token = _text_in(path, "token file").strip()
    if not token or not all("!" <= character <= "~" for character in token):
        raise StreamError(f"token file {path}: holds no token")
    return token


def _text_in(path: Path, what: str) -> str:
    try:
        with path.open(encoding="ascii") as file:
            return file.read(_MAX_FILE_BYTES)
    except OSError as error:
        raise StreamError(f"{what} {path}: can't be read ({error.strerror})") from None
    except ValueError:
        raise StreamError(f"{what} {path}: is no text") from None
