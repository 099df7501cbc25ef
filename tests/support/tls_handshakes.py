"""TLS between two ends in one process, without a socket: what a client makes of a server's certificate."""

import ssl

from cryptography import x509

_NO_CHECK_TIME = 0x200000  # X509_V_FLAG_NO_CHECK_TIME, which ``ssl`` has no name for


def trusting(*authorities_pem: bytes, whenever: bool = False) -> ssl.SSLContext:
    """A client that believes these authorities, and nobody else; with ``whenever`` on any day of any year."""
    context = ssl.create_default_context(cadata=b"".join(authorities_pem).decode())
    if whenever:
        context.verify_flags |= _NO_CHECK_TIME
    return context


def shake_hands(client: ssl.SSLContext, server: ssl.SSLContext, *, name: str) -> x509.Certificate:
    """The certificate that a client which wants ``name`` has accepted.

    Raises:
        ssl.SSLError: It has not.
    """
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    caller = client.wrap_bio(to_client, to_server, server_hostname=name)
    called = server.wrap_bio(to_server, to_client, server_side=True)
    ends = [caller, called]
    for _ in range(10):
        for end in tuple(ends):
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
            ends.remove(end)
    presented = caller.getpeercert(binary_form=True)
    assert presented is not None
    return x509.load_der_x509_certificate(presented)
