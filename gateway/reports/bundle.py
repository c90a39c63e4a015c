"""A signed bundle: the files of a report in one ZIP, with a manifest that names each by its SHA-256.

    manifest.json   format, venue, made, key, heads of the record, files (name: sha256)
    manifest.sig    Ed25519 over the bytes of manifest.json, base64, by the gateway's key

Whoever has the gateway's public key (`meta` over MQTT, `device.pub` beside the record) proves all of it, with
`venue-gateway journal verify-bundle` or the ten lines of docs/evidence.md.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from gateway.catalogue import say
from gateway.errors import Refused
from gateway.journal.chain import Identity, verify

FORMAT = 1
MANIFEST, SIGNATURE = "manifest.json", "manifest.sig"
LARGEST = 4 * 1024 * 1024  # bytes of a manifest


def write(path: Path, files: Mapping[str, Iterable[bytes]], facts: Mapping[str, Any], identity: Identity) -> None:
    """`files`: each in pieces, which need not be in memory together. Raises OSError.

    The manifest comes last: without it there is no bundle.
    """
    part = path.with_name(path.name + ".part")
    with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        digests = {name: _put(archive, name, pieces) for name, pieces in files.items()}
        manifest = {"format": FORMAT, **facts, "key": identity.public, "files": digests}
        text = json.dumps(manifest, ensure_ascii=False, indent=2, sort_keys=True).encode()
        archive.writestr(MANIFEST, text)
        archive.writestr(SIGNATURE, identity.sign(text))
    part.replace(path)


def _put(archive: zipfile.ZipFile, name: str, pieces: Iterable[bytes]) -> str:
    digest = hashlib.sha256()
    with archive.open(name, "w", force_zip64=True) as file:
        for piece in pieces:
            file.write(piece)
            digest.update(piece)
    return digest.hexdigest()


def read(path: Path, key: str | None = None) -> dict[str, Any]:
    """The manifest of a bundle that is whole and signed, by `key` if it is given. Raises Refused with what is wrong."""
    try:
        with zipfile.ZipFile(path) as archive:
            manifest = _proven(archive, key)
            for name, digest in manifest["files"].items():
                if _digest(archive, name) != digest:
                    raise Refused(say("{name} was altered: its SHA-256 is not the manifest's", name=name))
            extra = set(archive.namelist()) - {*manifest["files"], MANIFEST, SIGNATURE}
            if extra:
                raise Refused(say("not in the manifest: {names}", names=", ".join(sorted(extra))))
    except (zipfile.BadZipFile, OSError, KeyError, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise Refused(say("{path} is no bundle: {error}", path=path, error=error)) from error
    return manifest


def _proven(archive: zipfile.ZipFile, key: str | None) -> dict[str, Any]:
    text, signature = _member(archive, MANIFEST), _member(archive, SIGNATURE).decode("ascii")
    manifest: dict[str, Any] = json.loads(text)
    if key is not None and manifest["key"] != key:
        raise Refused(say("it is signed by another key: {key}", key=manifest["key"]))
    if not verify(str(manifest["key"]), text, signature):
        raise Refused(say("the manifest was altered: its signature does not fit"))
    if manifest["format"] != FORMAT:
        raise Refused(say("its format {form} is newer than this program", form=manifest["format"]))
    return manifest


def _digest(archive: zipfile.ZipFile, name: str) -> str:
    digest = hashlib.sha256()
    with archive.open(name) as file:
        while piece := file.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()


def _member(archive: zipfile.ZipFile, name: str) -> bytes:
    """A small one: what comes from elsewhere may be a bomb."""
    info = archive.getinfo(name)
    if info.file_size > LARGEST:
        raise Refused(say("{name} is too large", name=name))
    return archive.read(info)
