"""Questions and answers on a terminal: plain lines, so that they work over a slow line, at 80 columns, without colour.

At every question: Enter takes what stands in brackets, `?` explains, `<` begins the section again, Ctrl-C keeps what
was answered.
"""

from __future__ import annotations

import getpass
import shutil
import sys
from collections.abc import Callable, Collection, Sequence

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from gateway.catalogue import say
from gateway.persons.people import SHORTEST_PIN

WIDEST, NARROWEST = 100, 40
YES = frozenset({"y", "yes", "是", "1"})
NO = frozenset({"n", "no", "否", "0"})

Judge = Callable[[str], str]  # "" when the answer will do, else what is wrong with it
Option = tuple[str, str]  # what is meant, and how it is shown


class BackError(Exception):
    """`<`: begin this section again."""


class Terminal:
    """One for a run of `setup`."""

    def __init__(self) -> None:
        width = max(NARROWEST, min(WIDEST, shutil.get_terminal_size().columns))
        self._console = Console(width=width, color_system=None, highlight=False)

    def tell(self, text: str = "", indent: int = 0, hang: int = 0) -> None:
        """A sentence, broken at the terminal's width, Chinese as well; `hang`: from the second line on further in."""
        lines = Text(text).wrap(self._console, self._console.width - indent - hang)
        for number, line in enumerate(lines or [Text()]):
            print(" " * (indent + (hang if number else 0)) + line.plain.rstrip())

    def raw(self, text: str) -> None:
        """A file, or what a program prints: as it is."""
        print(text)

    def title(self, text: str) -> None:
        self.tell()
        self.tell(text)
        print("-" * min(cell_len(text), self._console.width))

    def ask(self, question: str, default: str = "", judge: Judge = lambda _: "", hint: str = "") -> str:
        """A line of text that `judge` lets pass; the default when nothing is typed. Empty only when judge allows it."""
        while True:
            answer = self._line(question, default, hint)
            wrong = judge(answer)
            if not wrong:
                return answer
            self.tell(wrong, 2)

    def number(self, question: str, default: int | None, allowed: range, hint: str = "") -> int:
        def judge(text: str) -> str:
            if text.isdecimal() and int(text) in allowed:
                return ""
            return say("a number from {first} to {last}", first=allowed[0], last=allowed[-1])

        return int(self.ask(question, "" if default is None else str(default), judge, hint))

    def yes(self, question: str, *, default: bool, hint: str = "") -> bool:
        def judge(text: str) -> str:
            return "" if text.lower() in YES | NO else say("y for yes, n for no")

        return self.ask(f"{question} (y/n)", "y" if default else "n", judge, hint).lower() in YES

    def choose(self, question: str, options: Sequence[Option], default: str, hint: str = "") -> str:
        """One of them, by its number."""
        self._list(options)
        values = [value for value, _ in options]
        first = str(values.index(default) + 1) if default in values else ""
        return values[int(self.ask(question, first, self._one_of(len(options)), hint)) - 1]

    def several(self, question: str, options: Sequence[Option], default: Collection[str], hint: str = "") -> list[str]:
        """Any of them, by their numbers; 0 for none."""
        self._list(options)
        values = [value for value, _ in options]
        first = " ".join(str(n) for n, value in enumerate(values, 1) if value in default) or "0"
        one_of = self._one_of(len(options), least=0)

        def judge(text: str) -> str:
            wrong = next(filter(None, map(one_of, _words(text))), "")
            return wrong or ("" if _words(text) else one_of(""))

        numbers = {int(word) for word in _words(self.ask(question, first, judge, hint))} - {0}
        return [value for number, value in enumerate(values, 1) if number in numbers]

    def new_pin(self, question: str) -> str:
        """Twice the same, unseen."""
        while True:
            first = self.secret(question)
            if len(first) < SHORTEST_PIN:
                self.tell(say("a PIN has at least {count} characters", count=SHORTEST_PIN), 2)
            elif self.secret(say("the same again")) == first:
                return first
            else:
                self.tell(say("the two were not the same"), 2)

    def secret(self, question: str) -> str:
        """Not shown while typed. From a terminal only: it never goes through a file or a pipe by mistake."""
        if sys.stdin.isatty():
            return getpass.getpass(f"{question}: ")
        return self._typed(f"{question}: ")

    def _line(self, question: str, default: str, hint: str) -> str:
        shown = f"{question} [{default}]: " if default else f"{question}: "
        while True:
            answer = self._typed(shown)
            if answer == "<":
                raise BackError
            if answer != "?":
                return answer or default
            self.tell(hint or say("Enter takes what stands in brackets; < begins this section again"), 2)

    @staticmethod
    def _typed(shown: str) -> str:
        """A closed input is as good as Ctrl-C: what was answered is kept."""
        try:
            return input(shown).strip()
        except EOFError as error:
            raise KeyboardInterrupt from error

    def _list(self, options: Sequence[Option]) -> None:
        for number, (_, shown) in enumerate(options, 1):
            self.tell(f"{number:>2}  {shown}", 2, 4)

    @staticmethod
    def _one_of(count: int, least: int = 1) -> Judge:
        wrong = say("a number from {first} to {last}", first=least, last=count)
        return lambda text: "" if text.isdecimal() and least <= int(text) <= count else wrong


def _words(text: str) -> list[str]:
    return text.replace(",", " ").replace("，", " ").split()
