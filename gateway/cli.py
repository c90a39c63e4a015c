"""`venue-gateway`: the command line. Each command's code is imported when it is called, so that `run` starts fast."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence
from pathlib import Path

from gateway import __version__, usage
from gateway.catalogue import choose, say
from gateway.codes import code_of
from gateway.day.parser import add_day_parsers, add_day_reports
from gateway.environment.calibration_parser import add_calibration_parser
from gateway.environment.figures_parser import add_figures_parser
from gateway.errors import ConfigError, Refused, Unavailable
from gateway.installer.survey_parser import add_survey_parsers
from gateway.journal.parser import add_journal_parser, add_replace_parser
from gateway.reports.parser import add_report_parser
from gateway.state import default_state, may_look_into

READ_THE_RECORD = (
    "gateway.journal.",
    "gateway.reports.",
    "gateway.day.",
    "gateway.environment.figures_cli",
    "gateway.freeze",
)
DONE, FAILED, USAGE, CONFIG_UNUSABLE = 0, 1, 2, 78


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit codes are those of the contract: 0 done, 1 failed, 2 wrong usage, 78 configuration."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    choose(_language(words))
    usage.speak()
    parser = build_parser()
    args = parser.parse_args(words)
    module, _, function = args.handler.partition(":")
    try:
        if module.startswith(READ_THE_RECORD):
            may_look_into(args.state)
        return int(getattr(importlib.import_module(module), function)(args))
    except (Refused, Unavailable) as error:
        print(f"venue-gateway: {error} [{code_of(error)}]", file=sys.stderr)
        return FAILED
    except ConfigError as error:
        print(f"venue-gateway: {error} [{code_of(error)}]", file=sys.stderr)
        return CONFIG_UNUSABLE
    except PermissionError as error:  # of a service's file: its folder is not everybody's
        refused = Refused(say("you may not look into {folder}: begin the command with sudo", folder=error.filename))
        print(f"venue-gateway: {refused} [{code_of(refused)}]", file=sys.stderr)
        return FAILED
    except BrokenPipeError:  # `journal tail | head`: the reader has what it wanted
        sys.stderr.close()
        return DONE
    except (KeyboardInterrupt, EOFError):  # at a question, Ctrl-D is as good as Ctrl-C
        return FAILED


def _language(words: Sequence[str]) -> str | None:
    """`--lang` decides the help texts too, so it is looked for before they are made."""
    for word, following in zip(words, [*words[1:], ""], strict=True):
        if word.startswith("--lang="):
            return word.partition("=")[2]
        if word == "--lang":
            return following
    return None


def build_parser() -> argparse.ArgumentParser:
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--lang", choices=("zh", "en"), help=say("language of messages (default: by LANG)"))
    stateful = argparse.ArgumentParser(add_help=False, parents=[common])
    stateful.add_argument(
        "--state", type=Path, default=default_state(), help=say("state directory (default: {path})", path="%(default)s")
    )
    tables = argparse.ArgumentParser(add_help=False)
    tables.add_argument("--json", action="store_true", help=say("print JSON"))

    parser = argparse.ArgumentParser(
        "venue-gateway", description=say("Watches an exam venue and sends what happens there."), parents=[common]
    )
    parser.add_argument(
        "--version",
        action="version",
        version=f"venue-gateway {__version__}",
        help=say("show program's version number and exit"),
    )
    verbs = parser.add_subparsers(metavar=say("COMMAND"), required=True)

    def command(
        name: str, handler: str, text: str, *parents: argparse.ArgumentParser, lang: bool = True
    ) -> argparse.ArgumentParser:
        bases = list(parents) + ([common] if lang and stateful not in parents else [])
        verb: argparse.ArgumentParser = verbs.add_parser(name, help=text, description=text, parents=bases)
        verb.set_defaults(handler=handler)
        return verb

    run = command("run", "gateway.run:run_main", say("the gateway, in the foreground"), stateful)
    run.add_argument("config", type=Path, metavar="CONFIG", help=say("the venue's TOML file"))
    run.add_argument(
        "--simulate",
        choices=("pins", "ports", "all"),
        nargs="?",
        const="all",
        help=say("with simulated pins, ports or both; publishes below exam-sim"),
    )
    sim = command("sim", "gateway.persons.local:sim_main", say("drive a simulated pin or port"), stateful)
    sim.add_argument("name", metavar="NAME", help=say("a device or contact of the configuration"))
    sim.add_argument("action", nargs="+", help=say("press, open, close, a level, fault KIND, ok"))

    demo = command("demo", "gateway.simulate.demo:demo_main", say("a whole simulated venue, live"))
    demo.add_argument("--speed", type=float, help=say("times faster than real time"))
    story = say("the story: a name, or a TOML file")
    demo.add_argument("--scenario", default="exam-morning", metavar="NAME", help=story)
    demo.add_argument("--record", type=Path, metavar="FILE.svg", help=say("write a picture of the terminal at the end"))
    demo.add_argument("--plain", action="store_true", help=say("lines instead of a live view"))

    simulate = command("simulate", "gateway.simulate.main:simulate_main", say("play every device of a configuration"))
    simulate.add_argument("config", type=Path, metavar="CONFIG", help=say("the venue's TOML file"))
    simulate.add_argument("--scenario", type=Path, metavar="FILE", help=story)

    station = command("station", "gateway.station.main:station_main", say("the far side: alarms, receipts"))
    station.add_argument("config", type=Path, metavar="CONFIG", help=say("its configuration; or: station add ID"))
    station.add_argument("id", nargs="?", metavar="ID", help=argparse.SUPPRESS)
    station.add_argument("--plain", action="store_true", help=say("lines instead of a live view"))
    station.add_argument(
        "--acknowledge-after", metavar="5s", help=say("acknowledge by itself (demonstrations, drills)")
    )
    station.add_argument("--key-file", type=Path, help=say("with add: where the new key goes"))
    station.add_argument("--streams", nargs="+", default=["custody", "gateway"], help=say("with add: what it serves"))

    person = command("person", "gateway.persons.people:person_main", say("make a PIN or a key for a person"))
    person.add_argument("action", choices=["add"])
    person.add_argument("id", metavar="ID", help=say("what the person is called in the configuration"))
    person.add_argument("--name", help=say("as people write it"))
    person.add_argument("--may", nargs="+", default=["ack"], metavar="VERB", help=say("what this person may do"))
    person.add_argument("--key-file", type=Path, help=say("make a key in this file, instead of a PIN"))

    check = command("check", "gateway.configuration.settings_cli:check_main", say("validate a configuration"), tables)
    check.add_argument("config", type=Path, metavar="CONFIG", help=say("the venue's TOML file"))

    boot = command(
        "boot-config",
        "gateway.installer.boot_config:boot_main",
        say("a Raspberry Pi's boot files: what the gateway needs in them"),
    )
    act = boot.add_mutually_exclusive_group()
    act.add_argument("--check", action="store_true", help=say("only show the difference (the default)"))
    act.add_argument("--apply", action="store_true", help=say("show it, keep the old files, and change them"))
    boot.add_argument("--boot", type=Path, metavar="DIR", help=say("where the boot files are (default: found)"))

    freeze = command(
        "frozen",
        "gateway.freeze:frozen_main",
        say("whether the program may be exchanged now: 0, or 1"),
        stateful,
        tables,
    )
    freeze.add_argument("config", type=Path, metavar="CONFIG", help=say("the venue's TOML file"))

    config = command(
        "config",
        "gateway.configuration.settings_cli:config_main",
        say("an example, the defaults, a schema"),
        lang=False,
    )
    actions = config.add_subparsers(dest="action", metavar=say("ACTION"), required=True)
    actions.add_parser("sample", parents=[common], help=say("a commented example, to begin with"))
    show = actions.add_parser("show", parents=[common, tables], help=say("the configuration as it is understood"))
    show.add_argument("config", type=Path, metavar="CONFIG", help=say("the venue's TOML file"))
    show.add_argument("--effective", action="store_true", help=say("with every default"))
    actions.add_parser("schema", parents=[common], help=say("JSON Schema of the file, for editors"))

    devices = command(
        "devices", "gateway.installer.devices_cli:devices_main", say("every instrument there is a driver for"), tables
    )
    devices.add_argument("name", nargs="?", metavar="NAME", help=say("wiring, stanza and traps of one"))

    setup = command(
        "setup", "gateway.setup.main:setup_main", say("a first configuration, by questions or a table"), stateful
    )
    setup.add_argument(
        "config", type=Path, nargs="?", default=Path("venue.toml"), metavar="CONFIG", help=say("the file to make")
    )
    setup.add_argument("--port", action="append", default=[], help=say("another serial port to ask about"))
    setup.add_argument("--no-test", action="store_true", help=say("do not try the broker"))
    setup.add_argument("--answers", type=Path, metavar="TABLE", help=say("many venues at once: a CSV or TOML table"))
    setup.add_argument("--common", type=Path, metavar="FILE", help=say("with --answers: what all venues share"))
    out = say("with --answers: the folder for the configurations (default: {path})", path="%(default)s")
    setup.add_argument("--out", type=Path, default=Path("venues"), metavar="FOLDER", help=out)

    doctor = command(
        "doctor", "gateway.doctor.main:doctor_main", say("what is wrong, and how to mend it"), stateful, tables
    )
    doctor.add_argument("config", type=Path, nargs="?", metavar="CONFIG", help=say("the venue's TOML file"))
    doctor.add_argument("--bus", metavar="NAME", help=say("measure which rest between questions this bus needs"))
    doctor.add_argument("--all", action="store_true", help=say("also what is good"))
    doctor.add_argument(
        "--bundle", type=Path, metavar="FILE.tar.gz", help=say("an archive for support, without secrets")
    )

    watch = command(
        "watch", "gateway.watch.main:watch_main", say("a live page: alarms, contacts, values, limits"), stateful
    )
    watch.add_argument("--plain", action="store_true", help=say("a line for each change instead of a page"))
    watch.add_argument("--once", action="store_true", help=say("the page once, without colour"))

    for name, text in (
        ("status", say("how the gateway is")),
        ("alarms", say("what stands")),
        ("why", say("why an alarm is as it is")),
        ("limits", say("the limits that are in force now, and where they come from")),
    ):
        verb = command(name, f"gateway.persons.local:{name}_main", text, stateful, tables)
        if name == "why":
            verb.add_argument("alarm", metavar="ALARM", help=say("as `venue-gateway alarms` shows it"))
        if name == "limits":
            verb.add_argument("point", nargs="?", help=say("a point or a device (default: all)"))

    for name, text in (
        ("ack", say("acknowledge an alarm: seen, by whom")),
        ("reset", say("reset a latched alarm")),
        ("shelve", say("put an alarm aside for a time")),
        ("unshelve", say("take it back before its time")),
        ("suppress", say("suppress an alarm by design")),
        ("release", say("end its suppression")),
        ("remove", say("take an alarm out of service")),
        ("return", say("bring it back into service")),
        ("open-window", say("open a sealed door for a time: two persons, one after the other within 2 minutes")),
        ("retire", say("let go of a contact that is no longer in the configuration, or end custody")),
    ):
        deed = name in ("open-window", "retire")
        verb = command(name, f"gateway.persons.local:{'deed' if deed else 'act'}_main", text, stateful, tables)
        verb.set_defaults(verb=name)
        if deed:
            verb.add_argument(
                "name", metavar="NAME", help=say('the contact; with retire also "venue.id", "custody" or "board"')
            )
        else:
            verb.add_argument("alarm", metavar="ALARM", help=say("as `venue-gateway alarms` shows it"))
            verb.add_argument("--revision", type=int, help=say("the revision you saw (default: the present one)"))
        verb.add_argument("--by", required=True, metavar="PERSON", help=say("who acts: a person of the configuration"))
        verb.add_argument("--note", help=say("a note or reason"))
        verb.add_argument("--pin-file", type=Path, help=say("file with the PIN (default: asked for)"))
        if name in ("shelve", "open-window"):
            verb.add_argument("--for", dest="lasting", required=True, metavar="30m", help=say("for how long"))
    add_day_parsers(verbs, stateful, tables)
    add_day_reports(add_report_parser(verbs, [stateful]), [stateful])
    add_calibration_parser(verbs, stateful, tables)
    add_figures_parser(verbs, stateful, tables)
    add_journal_parser(verbs, [stateful])
    add_replace_parser(verbs, [stateful])
    hj212 = command("hj212", "gateway.hj212.cli:hj212_main", say("what a bureau's platform is sent"), lang=False)
    hj212_actions = hj212.add_subparsers(dest="action", metavar=say("ACTION"), required=True)
    sent = hj212_actions.add_parser(
        "show", parents=[stateful, tables], help=say("what would be sent now, each field with its meaning")
    )
    sent.add_argument("config", type=Path, metavar="CONFIG", help=say("the venue's TOML file"))
    sent.add_argument("--platform", metavar="NAME", help=say("one platform (default: all)"))
    add_survey_parsers(verbs, stateful, tables)
    return parser


if __name__ == "__main__":
    sys.exit(main())
