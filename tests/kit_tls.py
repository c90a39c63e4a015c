"""Certificates for tests: two authorities, and servers that are good, expired, not yet valid or of another name."""

from __future__ import annotations

import datetime as dt
import ipaddress
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

DAY = dt.timedelta(days=1)


class Authority:
    """Writes NAME.pem and NAME.key into a directory; `missing` is a name without files."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        now = dt.datetime.now(dt.UTC)
        self._keys = keys = {name: ec.generate_private_key(ec.SECP256R1()) for name in ("ours", "foreign")}
        for name, key in keys.items():
            self._write(
                name, key, self._signed(name, key, (name, key), start=now - 3 * DAY, end=now + 30 * DAY, ca=True)
            )
        for name, start, end in (
            ("good", now - DAY, now + DAY),
            ("expired", now - 2 * DAY, now - DAY),
            ("future", now + DAY, now + 2 * DAY),
            ("other-name", now - DAY, now + DAY),
            ("client", now - DAY, now + DAY),
        ):
            self.issue(name, start=start, end=end)

    def issue(self, name: str, *, start: dt.datetime, end: dt.datetime) -> None:
        """A certificate of our authority; `name` is its common name and its file's."""
        key = ec.generate_private_key(ec.SECP256R1())
        self._write(name, key, self._signed(name, key, ("ours", self._keys["ours"]), start=start, end=end))

    def ca(self, name: str) -> Path:
        return self._directory / f"{name}.pem"

    def cert(self, name: str) -> Path:
        return self._directory / f"{name}.pem"

    def key(self, name: str) -> Path:
        return self._directory / f"{name}.key"

    def _signed(
        self,
        name: str,
        key: ec.EllipticCurvePrivateKey,
        issuer: tuple[str, ec.EllipticCurvePrivateKey],
        *,
        start: dt.datetime,
        end: dt.datetime,
        ca: bool = False,
    ) -> x509.Certificate:
        address = ipaddress.ip_address("10.9.8.7" if name == "other-name" else "127.0.0.1")
        usage = x509.KeyUsage(
            digital_signature=True,
            key_cert_sign=ca,
            crl_sign=ca,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            encipher_only=False,
            decipher_only=False,
        )
        return (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
            .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer[0])]))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(start)
            .not_valid_after(end)
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
            .add_extension(usage, critical=True)
            .add_extension(x509.SubjectAlternativeName([x509.IPAddress(address)]), critical=False)
            .sign(issuer[1], hashes.SHA256())
        )

    def _write(self, name: str, key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate) -> None:
        self.cert(name).write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        self.key(name).write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
