# SPDX-License-Identifier: AGPL-3.0-or-later
"""A server by HTTPS on this machine whose certificate nobody signed but itself."""

import datetime
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

_ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok"


def _certificate(key: EllipticCurvePrivateKey) -> bytes:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now, day = datetime.datetime.now(datetime.UTC), datetime.timedelta(days=1)
    made = x509.CertificateBuilder(name, name, key.public_key(), 1, now - day, now + day)
    made = made.add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
    made = made.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    made = made.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    return made.sign(key, SHA256()).public_bytes(Encoding.PEM)


@contextmanager
def serving(folder: Path) -> Iterator[tuple[str, Path]]:
    """Its address, which answers `ok` to everything, and the file with its certificate."""
    key, file = generate_private_key(SECP256R1()), folder / "certificate.pem"
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    file.write_bytes(_certificate(key) + secret)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    listener = socket.create_server(("127.0.0.1", 0))

    def work() -> None:
        while True:
            try:
                link, _ = listener.accept()
            except OSError:  # closed
                return
            with link, suppress(OSError), context.wrap_socket(link, server_side=True) as line:
                line.recv(65_536)
                line.sendall(_ANSWER)

    threading.Thread(target=work, daemon=True).start()
    try:
        yield f"https://localhost:{listener.getsockname()[1]}", file
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
