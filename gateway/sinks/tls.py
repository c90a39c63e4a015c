"""The one way in which we trust a far side: chain and name are always verified, the same under every Python."""

from __future__ import annotations

import ssl

from gateway.catalogue import say
from gateway.sinks.troubles import LinkLost


def secured(ca: str | None, cert: str | None = None, key: str | None = None) -> ssl.SSLContext:
    """Files in PEM; without `ca`, the system's authorities. Raises `LinkLost` when one of them cannot be used.

    `ca` may also hold the far side's own certificate: it is pinned then.
    """
    try:
        context = ssl.create_default_context(cafile=ca)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        # From Python 3.13 a certificate without key identifiers is refused by default. Bureaus make theirs by hand.
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        if cert is not None:
            context.load_cert_chain(cert, key)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or getattr(error, "reason", None) or error
        files = ", ".join(each for each in (ca, cert, key) if each)
        text = say("one of the certificate files {files} cannot be used: {why}", files=files, why=why)
        raise LinkLost("bad-certificate", text) from error
    return context
