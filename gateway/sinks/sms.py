"""A short message as a GSM modem sends it (3GPP TS 23.040, SMS-SUBMIT; TS 27.005, PDU mode). Pure.

    00                      the service centre is the SIM's own
    11 00                   submit, with a relative validity; the reference is the modem's
    0B 91 5892214365F7      digits, international (81: national), digits swapped in pairs, F fills the last
    00 08 A7                no protocol; UCS2, so that Chinese goes; valid for 24 h
    nn ....                 bytes, text in UTF-16 big-endian: at most 70 units

PDU mode, because text mode's rules for UCS2 differ from maker to maker.
"""

from __future__ import annotations

MOST_UNITS = 70


def submit(number: str, text: str) -> tuple[int, str]:
    """The length that AT+CMGS names (bytes without the service centre) and the PDU in hexadecimal."""
    data = fit(text).encode("utf-16-be")
    pdu = "1100" + _address(number) + "0008A7" + f"{len(data):02X}" + data.hex().upper()
    return len(pdu) // 2, "00" + pdu


def fit(text: str) -> str:
    """What of a text goes into one message; an end that is left out shows as …"""
    if _units(text) <= MOST_UNITS:
        return text
    while _units(text) > MOST_UNITS - 1:
        text = text[:-1]
    return text + "…"


def _units(text: str) -> int:
    return len(text.encode("utf-16-be")) // 2


def _address(number: str) -> str:
    digits = number.removeprefix("+")
    padded = digits + "F" * (len(digits) % 2)
    swapped = "".join(padded[i + 1] + padded[i] for i in range(0, len(padded), 2))
    return f"{len(digits):02X}{'91' if number.startswith('+') else '81'}{swapped}"
