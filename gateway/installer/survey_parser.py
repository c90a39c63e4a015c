"""The words of `scan`, `read` and `provision`, apart from their code, so that other commands need not load that."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from gateway.catalogue import say
from gateway.journal.parser import Subparsers


def add_survey_parsers(
    subparsers: Subparsers, stateful: argparse.ArgumentParser, tables: argparse.ArgumentParser
) -> None:
    """`stateful` brings --state, `tables` --json."""

    def verb(name: str, text: str, *parents: argparse.ArgumentParser) -> argparse.ArgumentParser:
        parser = subparsers.add_parser(name, help=text, description=text, parents=list(parents))
        parser.set_defaults(handler=f"gateway.installer.survey_cli:{name}_main")
        return parser

    port_help = say("best one of /dev/serial/by-id; a running gateway lends it")
    scan = verb("scan", say("what is on a serial port, with lines for the configuration"), stateful, tables)
    scan.add_argument("port", metavar="PORT", help=port_help)
    scan.add_argument("--baud", type=int, nargs="+", metavar="N", help=say("speeds to try (default: the usual ones)"))
    scan.add_argument("--parity", choices=("N", "E", "O"), nargs="+", help=say("parities to try (default: N)"))
    scan.add_argument(
        "--addresses", type=_addresses, default=range(1, 248), metavar="1-247", help=say("addresses to try")
    )
    scan.add_argument("--patient", action="store_true", help=say("wait a second for each, for slow devices"))
    scan.add_argument("--one", action="store_true", help=say("stop at the first device found"))

    read = verb("read", say("what one device says now"), stateful, tables)
    read.add_argument("config", type=Path, metavar="CONFIG")
    read.add_argument("device", metavar="DEVICE", help=say("its name in the configuration"))
    read.add_argument("--raw", action="store_true", help=say("with every byte sent (>) and received (<)"))

    provision = verb("provision", say("give a device another address or speed, and prove it"), stateful)
    provision.add_argument("port", metavar="PORT", help=port_help)
    provision.add_argument("driver", metavar="DRIVER", help=say("its type: venue-gateway devices lists them"))
    provision.add_argument("--address", type=int, metavar="N", help=say("the address that it shall have"))
    provision.add_argument("--baud", type=int, metavar="N", help=say("the speed that it shall have"))
    provision.add_argument("--from-address", type=int, metavar="N", help=say("its present one (default: as delivered)"))
    provision.add_argument("--from-baud", type=int, metavar="N", help=say("its present one (default: as delivered)"))
    provision.add_argument("--parity", choices=("N", "E", "O"), help=say("of the line (default: as delivered)"))


def _addresses(text: str) -> Sequence[int]:
    """`1-20`, or `7`. Raises ArgumentTypeError."""
    first, _, last = text.partition("-")
    try:
        found = range(int(first), int(last or first) + 1)
    except ValueError:
        found = range(0)
    if not found or found[0] < 1 or found[-1] > 255:
        raise argparse.ArgumentTypeError(say("addresses are given as 1-247, or as one number"))
    return found
