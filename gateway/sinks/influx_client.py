"""One InfluxDB server, written to synchronously. influxdb-client is contained here; it is loaded only when configured.

Batching, retrying and queueing of the client are not used: they drop what the server does not take in time. A write
returns when the server has taken every line, and raises otherwise.
"""

from __future__ import annotations

import contextlib
import json
import re
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from influxdb_client.client.exceptions import InfluxDBError
from influxdb_client.client.influxdb_client import InfluxDBClient
from influxdb_client.client.write_api import SYNCHRONOUS
from influxdb_client.rest import ApiException
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NameResolutionError, NewConnectionError, ReadTimeoutError

from gateway.catalogue import N_, say
from gateway.configuration import config
from gateway.moment import Moment
from gateway.sinks.tls import secured
from gateway.sinks.troubles import LinesRefused, LinkLost, explained

MILLISECONDS: Any = "ms"  # the client annotates a class where it wants one of its strings
CONNECT_S, ANSWER_S = 5.0, 15.0
LONGEST_REST_S = 300.0  # however long a server asks to be left alone
LONGEST_TEXT = 300

_DROPPED = re.compile(r"partial write\b.*\bdropped=(\d+)", re.DOTALL)


class Database:
    """Opened by `Database(...)`; that sends nothing. Raises `LinkLost` when token or certificate cannot be read.

    The time of a certificate is always held against our clock: readings can wait until it is set, unlike alarms.
    """

    def __init__(self, settings: config.InfluxDb, now: Callable[[], Moment]) -> None:
        address = urlsplit(settings.url)
        self._where = address.netloc.rpartition("@")[2]
        self._bucket = settings.bucket
        self._now = now
        try:
            self._client = InfluxDBClient(
                url=settings.url,
                token=_token(settings.token_file),
                org=settings.org,
                timeout=(int(CONNECT_S * 1000), int(ANSWER_S * 1000)),
                enable_gzip=True,
                retries=False,
                ssl_context=secured(settings.ca) if address.scheme == "https" else None,
            )
        except (InfluxDBError, ValueError) as error:
            raise LinkLost("refused", str(error)[:LONGEST_TEXT]) from error
        self._api = self._client.write_api(write_options=SYNCHRONOUS)

    def write(self, lines: bytes) -> None:
        """Line protocol, times in milliseconds. Raises `LinesRefused` or `LinkLost`; then all may be sent again."""
        try:
            self._api.write(self._bucket, record=lines, write_precision=MILLISECONDS)
        except ApiException as error:
            raise self._refusal(error) from error
        except (HTTPError, OSError, UnicodeError) as error:
            raise LinkLost("unreachable", self._broken(error)) from error

    def greet(self) -> None:
        """Ask whether it would take anything of us, and write nothing. Raises `LinkLost`."""
        with contextlib.suppress(LinesRefused):  # for want of a point: by then token and bucket were found good
            self.write(b"")

    def close(self) -> None:
        self._client.close()  # type: ignore[no-untyped-call]

    def _refusal(self, error: ApiException) -> LinkLost | LinesRefused:
        message, own = _said(error.body)
        where = {"where": self._where, "why": message or error.reason or error.status}
        if own and (partial := _DROPPED.search(message)) is not None:  # with status 422, in older versions 500
            return LinesRefused(message, int(partial[1]))
        if error.status == 413 or (own and error.status in (400, 422)):
            return LinesRefused(message or say("too large"))
        match error.status:
            case 0:
                return self._insecure(error)
            case 401:
                return LinkLost("refused", say("{where} does not accept the token: {why}", **where))
            case 403:
                text = N_("the token may not write to bucket {bucket} at {where}: {why}")
                return LinkLost("refused", say(text, bucket=self._bucket, **where))
            case 404:
                text = N_("{where} has no such bucket or organisation ({bucket}): {why}")
                return LinkLost("refused", say(text, bucket=self._bucket, **where))
            case 408 | 429:
                pass
            case status if 300 <= status < 500:
                text = N_("{where} does not answer as InfluxDB does ({status} {why}): is the address right?")
                return LinkLost("refused", say(text, status=status, **where))
        text = say("{where} cannot take anything now ({status} {why})", status=error.status, **where)
        return LinkLost("unreachable", text, _rest_s(error))

    def _insecure(self, error: BaseException) -> LinkLost:
        """The client wraps what happened into urllib3's words, and these into its own."""
        cause: BaseException | None = error
        while cause is not None and not isinstance(cause, ssl.SSLError):
            cause = cause.__cause__ or cause.__context__
        return explained(cause or ssl.SSLError(str(error)[:LONGEST_TEXT]), self._where, self._now())

    def _broken(self, error: Exception) -> str:
        match error:
            case NameResolutionError():
                return say("the name in {where} is not found", where=self._where)
            case NewConnectionError():  # before the timeouts, of which it is one by descent
                why = getattr(error.__cause__, "strerror", None) or error
                return say("no way to {where}: {why}", where=self._where, why=why)
            case ConnectTimeoutError() | ReadTimeoutError():
                return say("{where} does not answer", where=self._where)
        return say("the connection to {where} broke ({why})", where=self._where, why=str(error)[:LONGEST_TEXT])


def _token(file: str) -> str:
    try:
        token = Path(file).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise LinkLost("refused", say("the token file {file} cannot be read: {why}", file=file, why=why)) from error
    if not token.isprintable() or not token.isascii() or not token or " " in token:
        raise LinkLost("refused", say("the token file {file} holds no token", file=file))
    return token


def _said(body: object) -> tuple[str, bool]:
    """The server's own words, and whether it is a database that speaks: a proxy's page is no verdict on a point."""
    text = body.decode("utf-8", "replace") if isinstance(body, bytes) else str(body or "")
    try:
        answer = json.loads(text)
    except (ValueError, RecursionError):
        return text[:LONGEST_TEXT], False
    message = (answer.get("message") or answer.get("error")) if isinstance(answer, dict) else None
    return (str(message)[:LONGEST_TEXT], True) if message else (text[:LONGEST_TEXT], False)


def _rest_s(error: ApiException) -> float:
    """`Retry-After` in seconds; its form with a date is not used by databases and counts as nothing."""
    headers: Any = error.headers or {}
    asked = str(headers.get("Retry-After", ""))
    return min(float(asked), LONGEST_REST_S) if asked.isdecimal() else 0.0
