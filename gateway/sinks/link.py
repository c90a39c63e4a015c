"""One connection to an MQTT broker. paho-mqtt is contained here: our thread drives it, and it never reconnects.

A `Link` lives from connect to the first trouble; then it is closed and another one is made. Nothing is kept in paho's
queue that its owner does not also keep. What happened is collected by the callbacks and taken by the owner afterwards,
so that no code of ours runs inside paho.
"""

from __future__ import annotations

import logging
import select
import socket
import ssl
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from gateway.catalogue import N_, say
from gateway.configuration import config
from gateway.moment import NANO, ClockState, Moment
from gateway.sinks.packets import Acked, Granted, Happening, Message, Publication
from gateway.sinks.tls import secured
from gateway.sinks.troubles import REFUSALS, LinkLost, explained, other_version, refused

log = logging.getLogger(__name__)

LARGEST_BYTES = 256 * 1024  # of an MQTT 5 message to us: our own descriptions come back, and stay far below
CONNECT_S = 5.0  # for the TCP connection, and again for the TLS handshake
ANSWER_S = 10.0  # for CONNACK; and for any sign of life while a publish or a subscription is unanswered
LAST_ANSWER_S = 60.0  # for each single answer, whatever else is heard
IN_FLIGHT = 20
HEADER = 64  # bytes of a PUBLISH beside topic and payload, at most
PACKET_TOO_LARGE = 149
LONGEST_KEEPALIVE_S = 20
NO_CHECK_TIME = 0x200000  # OpenSSL's X509_V_FLAG_NO_CHECK_TIME; the ssl module has no name for it


class Link:
    """Opened by `Link(...)`, which returns once the broker has said yes and raises `LinkLost` otherwise."""

    def __init__(self, settings: config.Mqtt, client_id: str, will: Publication | None, now: Moment) -> None:
        self.in_flight = IN_FLIGHT
        self._largest: int | None = None  # bytes of a packet, where the broker says so
        self._unsent = 0  # publications that were larger
        self._v5 = settings.version == "5"
        self._tls = settings.tls is not None
        self._where = f"{settings.host}:{settings.port}"
        self._happenings: list[Happening] = []
        self._connack: ReasonCode | None = None
        self._gone: ReasonCode | None = None
        self._complaint = ""
        self._strange = False  # what came is not MQTT, or not of our version
        self._unanswered: dict[int, float] = {}  # packet id: when it was sent
        self._heard_at = time.monotonic()
        self._made_before: dict[int | None, Properties] = {}  # by `expires_s`; making them costs as much as sending
        self._client = self._made(settings, client_id, will, now)
        self._keepalive_s = min(LONGEST_KEEPALIVE_S, max(1, round(settings.keepalive)))
        try:
            self._open(settings, now)
        except BaseException:
            self.close()
            raise

    # ---- what the owner does

    def publish(self, publication: Publication) -> int:
        """Send at QoS 1; the packet id that `Acked` will name. The owner keeps no more than `in_flight` unanswered.

        What is larger than the broker takes is answered in its place: it would end the connection over it.
        """
        topic, payload, retain, expires_s = publication
        if self._largest is not None and len(payload) + len(topic) + HEADER > self._largest:
            self._unsent += 1
            self._happenings.append(Acked(-self._unsent, PACKET_TOO_LARGE))
            return -self._unsent
        properties = None
        if self._v5:
            properties = self._made_before.get(expires_s)
            if properties is None:
                properties = self._made_before[expires_s] = _properties(expires_s)
        info = self._client.publish(topic, payload, qos=1, retain=retain, properties=properties)
        self._unanswered[info.mid] = time.monotonic()
        return info.mid

    def subscribe(self, filters: Sequence[str]) -> int:
        """The packet id that `Granted` will name."""
        if self._v5:
            code, mid = self._client.subscribe([(each, SubscribeOptions(qos=1)) for each in filters])
        else:
            code, mid = self._client.subscribe([(each, 1) for each in filters])
        if code != MQTTErrorCode.MQTT_ERR_SUCCESS or mid is None:
            raise self._ended()
        self._unanswered[mid] = time.monotonic()
        return mid

    def unsubscribe(self, filters: Sequence[str]) -> None:
        self._client.unsubscribe(list(filters))

    @contextmanager
    def together(self) -> Iterator[None]:
        """What is published meanwhile leaves as one: a packet and an answer for all cost the processor the least."""
        self._cork(on=True)
        try:
            yield
        finally:
            self._cork(on=False)

    def wait(self, timeout_s: float, wake: int | None = None) -> list[Happening]:
        """Drive the connection until something happens, `wake` becomes readable or the time is over (real seconds).

        Raises `LinkLost` when the connection has ended or nothing was heard for too long.
        """
        sock = self._client.socket()
        if sock is not None:
            poller = select.poll()
            poller.register(sock.fileno(), select.POLLIN | (select.POLLOUT if self._client.want_write() else 0))
            if wake is not None:
                poller.register(wake, select.POLLIN)
            ready = dict(poller.poll(0 if self._happenings else max(0, round(timeout_s * 1000))))
            happened = ready.get(sock.fileno(), 0)
            if happened & ~select.POLLOUT:
                self._read(sock)
            if happened & select.POLLOUT:
                self._client.loop_write()
            self._client.loop_misc()
        taken, self._happenings = self._happenings, []
        for happening in taken:
            if not isinstance(happening, Message):
                self._unanswered.pop(happening.mid, None)
        self._check_answers()
        if not taken:
            self._check_open()
        return taken

    def close(self, *, goodbye: bool = False) -> None:
        """End the connection. Without `goodbye` the broker publishes the will."""
        sock = self._client.socket()
        if sock is None:
            return
        if goodbye:
            self._client.disconnect()
            self._client.loop_write()
        sock.close()

    # ---- opening

    def _made(self, settings: config.Mqtt, client_id: str, will: Publication | None, now: Moment) -> Client:
        client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            protocol=MQTTProtocolVersion.MQTTv5 if self._v5 else MQTTProtocolVersion.MQTTv311,
            clean_session=None if self._v5 else True,
            reconnect_on_failure=False,
        )
        client.connect_timeout = CONNECT_S
        client.max_inflight_messages_set(4 * IN_FLIGHT)  # never reached: paho shall not queue
        if will is not None:
            client.will_set(will.topic, will.payload, qos=1, retain=will.retain)
        if settings.user is not None:
            client.username_pw_set(settings.user, _password(settings))
        if settings.tls is not None:
            context = secured(settings.tls.ca, settings.tls.cert, settings.tls.key)
            if now.clock is not ClockState.SYNCHRONISED:  # only then is the time left out; see `_check_certificate`
                context.verify_flags |= ssl.VerifyFlags(NO_CHECK_TIME)
            client.tls_set_context(context)
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_publish = self._on_publish
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message
        client.enable_logger(_Errors(self._complain))
        return client

    def _open(self, settings: config.Mqtt, now: Moment) -> None:
        host, port, keepalive_s = settings.host, settings.port, self._keepalive_s
        try:
            if self._v5:
                self._client.connect(host, port, keepalive_s, clean_start=True, properties=_limits())
            else:
                self._client.connect(host, port, keepalive_s)
        except (OSError, UnicodeError) as error:
            raise explained(error, self._where, now) from error
        sock = self._client.socket()
        if sock is None:  # it broke while CONNECT was being sent
            raise self._ended()
        self._check_certificate(sock, now)
        # Small packets must leave at once: with Nagle's algorithm a press would wait for the reading before it.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # type: ignore[attr-defined]  # paho's own Protocol
        self._await_connack()

    def _await_connack(self) -> None:
        until = time.monotonic() + ANSWER_S
        while self._connack is None and time.monotonic() < until:
            self.wait(0.1)
        if self._connack is None:
            detail = say("{where} took the connection and then said nothing", where=self._where)
            raise LinkLost("unreachable", detail)
        if self._connack.is_failure:
            raise refused(self._connack, self._where)

    def _check_certificate(self, sock: Any, now: Moment) -> None:
        """While the clock is not set, OpenSSL was told to leave time out of it: the end is held against our floor."""
        if not isinstance(sock, ssl.SSLSocket) or now.clock is ClockState.SYNCHRONISED:
            return
        certificate = sock.getpeercert() or {}
        ends = certificate.get("notAfter")
        if isinstance(ends, str) and ssl.cert_time_to_seconds(ends) < now.wall_ns / NANO:
            text = say("the certificate of {where} ended {ends}", where=self._where, ends=ends)
            raise LinkLost("bad-certificate", text)

    # ---- driving

    def _cork(self, *, on: bool) -> None:
        sock: Any = self._client.socket()
        if sock is not None:
            with suppress(OSError):  # it just broke: whoever reads or writes next says so
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, on)

    def _read(self, sock: Any) -> None:
        self._heard_at = time.monotonic()
        code = self._client.loop_read()
        # What TLS has already decrypted does not show as readable.
        while isinstance(sock, ssl.SSLSocket) and self._client.socket() is not None and sock.pending():
            code = self._client.loop_read()
        # paho keeps a 3.1.1 broker's "unacceptable protocol version" to itself.
        self._strange = code == MQTTErrorCode.MQTT_ERR_PROTOCOL

    def _check_open(self) -> None:
        refused = self._connack is not None and self._connack.is_failure  # whoever waits for the CONNACK says why
        if self._client.socket() is None and not refused:
            raise self._ended()

    def _check_answers(self) -> None:
        if not self._unanswered:
            return
        now = time.monotonic()
        waited_s = now - next(iter(self._unanswered.values()))  # in the order in which they were sent
        if waited_s > LAST_ANSWER_S or (waited_s > ANSWER_S and now - self._heard_at > ANSWER_S):
            raise LinkLost("unreachable", say("{where} does not answer any more", where=self._where))

    def _ended(self) -> LinkLost:
        if "alert" in self._complaint.lower():  # TLS 1.3 refuses our certificate only after the handshake
            detail = say("{where} refused our certificate: {why}", where=self._where, why=self._complaint)
            return LinkLost("bad-certificate", detail)
        if self._gone is not None and self._gone.value in REFUSALS:
            return refused(self._gone, self._where)
        if self._strange and self._connack is None:
            return LinkLost("refused", other_version(self._where))
        why = self._complaint or (str(self._gone) if self._gone is not None else "")
        if self._tls and self._connack is None:  # the same, when our CONNECT crossed its alert
            text = N_(
                "{where} ended the secure connection before it answered ({why}): does it want another certificate?"
            )
            return LinkLost("bad-certificate", say(text, where=self._where, why=why))
        return LinkLost("unreachable", say("the connection to {where} broke ({why})", where=self._where, why=why))

    # ---- paho's callbacks: they note what happened, and nothing more

    def _on_connect(self, _c: Client, _u: Any, _flags: ConnectFlags, code: ReasonCode, properties: Any) -> None:
        self._connack = code
        self.in_flight = min(IN_FLIGHT, getattr(properties, "ReceiveMaximum", IN_FLIGHT))
        self._largest = getattr(properties, "MaximumPacketSize", None)

    def _on_disconnect(self, _c: Client, _u: Any, _flags: DisconnectFlags, code: ReasonCode, _properties: Any) -> None:
        self._gone = code

    def _on_publish(self, _c: Client, _u: Any, mid: int, code: ReasonCode, _properties: Any) -> None:
        self._happenings.append(Acked(mid, code.value))

    def _on_subscribe(self, _c: Client, _u: Any, mid: int, codes: list[ReasonCode], _properties: Any) -> None:
        self._happenings.append(Granted(mid, tuple(code.value for code in codes)))

    def _on_message(self, _c: Client, _u: Any, message: MQTTMessage) -> None:
        try:
            topic = message.topic
        except UnicodeDecodeError:  # a broker ought to have refused it
            return
        self._happenings.append(Message(topic, bytes(message.payload), message.retain))

    def _complain(self, text: str) -> None:
        self._complaint = text


class _Errors(logging.Logger):
    """For paho, which tells nobody else of its errors. What it says of every packet is not even put into words."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        super().__init__("paho", logging.ERROR)
        self._tell = tell

    def handle(self, record: logging.LogRecord) -> None:
        self._tell(record.getMessage())


def _limits() -> Properties:
    """What a broker may hand to us: it drops larger ones before they cost us memory."""
    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
    properties.MaximumPacketSize = LARGEST_BYTES
    return properties


def _properties(expires_s: int | None = None) -> Properties:
    properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
    properties.ContentType = "application/json"
    if expires_s is not None:
        properties.MessageExpiryInterval = expires_s
    return properties


# ---- files that the configuration names -------------------------------------------------------------------------


def _password(settings: config.Mqtt) -> str | None:
    if settings.password_file is None:
        return None
    try:
        return Path(settings.password_file).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeError) as error:
        text = say("the password file {file} cannot be read: {why}", file=settings.password_file, why=_why(error))
        raise LinkLost("refused", text) from error


def _why(error: Exception) -> str:
    return getattr(error, "strerror", None) or getattr(error, "reason", None) or str(error)
