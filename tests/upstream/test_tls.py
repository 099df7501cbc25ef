"""Whom a target trusts: the system's authorities and its own, and nobody else."""

import asyncio
import contextlib
import datetime
import ipaddress
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from grokwarden_sidecar.calls.upstream import ConnectFailed
from targets import target_of


@dataclass
class Secured:
    """A server with a certificate of its own making."""

    base_url: str
    ca_bundle: str
    handshakes: int = 0


def self_signed() -> tuple[bytes, bytes]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    encoded_key = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return certificate.public_bytes(serialization.Encoding.PEM), encoded_key


@pytest.fixture
async def secured(tmp_path) -> AsyncIterator[Secured]:
    certificate, key = self_signed()
    (tmp_path / "server.pem").write_bytes(certificate + key)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(tmp_path / "server.pem")
    found = Secured("", certificate.decode())

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        found.handshakes += 1
        while line := await reader.readline():
            if line == b"\r\n":
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context) as server:
        found.base_url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
        yield found


async def test_a_certificate_of_nobody_known_is_refused(upstream, secured):
    """The key would go to whoever answers."""
    with pytest.raises(ConnectFailed, match=r"the certificate of 127\.0\.0\.1 was refused \(self.signed certificate\)"):
        await upstream.open(target_of(secured.base_url), "GET", "/models", {}, b"")

    assert secured.handshakes == 0


@pytest.mark.parametrize("prepared", [True, False])
async def test_a_targets_own_authority_is_trusted(upstream, secured, prepared):
    """For that target alone, and whether or not it was made ready beforehand."""
    target = target_of(secured.base_url, ca_bundle=secured.ca_bundle)
    if prepared:
        await upstream.prepare([target])

    reply = await upstream.open(target, "GET", "/models", {}, b"")
    assert await reply.read(10) == b"ok"

    with pytest.raises(ConnectFailed):
        await upstream.open(target_of(secured.base_url, name="shop/other"), "GET", "/models", {}, b"")


async def test_a_reload_keeps_the_connections_of_an_equal_target(upstream, secured):
    """Else each reload would cost a handshake for each call that follows."""
    for _ in range(2):
        target = target_of(secured.base_url, ca_bundle=secured.ca_bundle)
        await upstream.prepare([target])
        await (await upstream.open(target, "GET", "/models", {}, b"")).read(10)

    assert secured.handshakes == 1


async def test_a_bundle_without_a_certificate_is_refused_at_once(upstream):
    """At the reload, where it can still be kept from the calls."""
    target = target_of("https://127.0.0.1:9/v1", ca_bundle="not a certificate")

    with pytest.raises(ConnectFailed, match="target shop/xai-grok: its caBundle holds no PEM certificate"):
        await upstream.prepare([target])
    with pytest.raises(ConnectFailed, match="caBundle"):
        await upstream.open(target, "GET", "/models", {}, b"")


@pytest.mark.parametrize("allowed", [True, False])
async def test_a_proxy_sees_the_host_and_nothing_else(upstream, secured, allowed):
    """Corporate egress: the tunnel is the proxy's, the call and its key are not."""
    seen: list[bytes] = []

    async def tunnel(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await reader.readuntil(b"\r\n\r\n"))
        if not allowed:
            writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n")
            writer.close()
            return
        host, port = seen[0].split()[1].decode().split(":")
        there_reader, there_writer = await asyncio.open_connection(host, int(port))
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await asyncio.gather(pump(reader, there_writer), pump(there_reader, writer))

    async with await asyncio.start_server(tunnel, "127.0.0.1", 0) as server:
        proxy = f"http://corp:canary@127.0.0.1:{server.sockets[0].getsockname()[1]}"
        target = target_of(secured.base_url, ca_bundle=secured.ca_bundle, proxy_url=proxy)
        call = upstream.open(target, "GET", "/models", {"authorization": "Bearer xai-key"}, b"")
        if allowed:
            assert await (await call).read(10) == b"ok"
        else:
            with pytest.raises(ConnectFailed, match=r"the proxy refused the connection \(status 407\)") as failure:
                await call
            assert "canary" not in str(failure.value)
        await upstream.close()

    assert seen[0].startswith(b"CONNECT 127.0.0.1:")
    assert b"Proxy-Authorization: Basic" in seen[0]
    assert b"xai-key" not in b"".join(seen)


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
        writer.close()
