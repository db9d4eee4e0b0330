"""The documentation as text: its pages, blocks, tables, commands, links and anchors."""

from __future__ import annotations

import argparse
import re
import shlex
from collections.abc import Callable, Iterator
from typing import NamedTuple, NoReturn
from unittest.mock import patch

from tests.support.services import REPOSITORY

README = "README.md"
CONTRIBUTING = "CONTRIBUTING.md"
CHANGELOG = "CHANGELOG.md"
DOCS = sorted(
    path.relative_to(REPOSITORY).as_posix() for path in (REPOSITORY / "docs").glob("*.md")
)
FIRST = (
    "docs/http-api.md",
    "docs/privacy.md",
)  # in this order their commands are typed into an empty installation
PAGES = (*FIRST, README, CONTRIBUTING, "SECURITY.md", *(page for page in DOCS if page not in FIRST))
"""All pages that say how it is. The changelog says how it was."""


FOLDER = "/home/you/enhanced-data-capture"
"""Where the installation of the pages is."""


def text_of(page: str) -> str:
    """The text of a page, named by its path in the repository."""
    return (REPOSITORY / page).read_text()


def prose_of(page: str) -> str:
    """The text of a page without its blocks of code."""
    return re.sub(r"^```.*?^```$", "", text_of(page), flags=re.DOTALL | re.MULTILINE)


def blocks(page: str, language: str) -> list[str]:
    """The blocks of code of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text_of(page), re.DOTALL | re.MULTILINE)


def documented_output(page: str, beginning: str) -> str:
    """The output of a command as a page shows it, by its first words."""
    (written,) = (block for block in blocks(page, "text") if block.startswith(beginning))
    return written.rstrip("\n")


def table_rows(page: str, heading: str) -> list[list[str]]:
    """The rows of the first table below a heading, as cells."""
    section = re.split(r"\n#{1,6} ", text_of(page).split(f"\n{heading}\n", 1)[1], maxsplit=1)[0]
    return _cells_of(section[section.index("\n|") + 1 :].split("\n\n", 1)[0])


def all_table_rows(page: str, title: str) -> list[list[str]]:
    """The rows of the table whose first column has this title."""
    text = text_of(page)
    return _cells_of(text[text.index(f"\n| {title} |") + 1 :].split("\n\n", 1)[0])


def _cells_of(table: str) -> list[list[str]]:
    lines = [line for line in table.splitlines()[2:] if line.startswith("|")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


def code_in(cell: str) -> list[str]:
    """The code in a cell of a table."""
    return re.findall(r"`([^`]+)`", cell)


class Command(NamedTuple):
    """A command line of a page, and the output that the page shows."""

    page: str
    line: str
    output: str


def commands(page: str) -> list[Command]:
    """The command lines of a page; a line that ends in a backslash or inside quotes goes on in the next."""
    found = []
    for block in blocks(page, "console"):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            lines = part.splitlines()
            end = 1
            while _goes_on("\n".join(lines[:end])):
                end += 1
            line = "\n".join(lines[:end]).replace("\\\n", " ")
            found.append(Command(page, line, "\n".join(lines[end:]).strip()))
    return found


def _goes_on(text: str) -> bool:
    if text.endswith("\\"):
        return True
    try:
        shlex.split(text)
    except ValueError:
        return True
    return False


def all_commands() -> list[Command]:
    """The command lines of all pages."""
    return [command for page in PAGES for command in commands(page)]


def links(page: str) -> list[str]:
    """The targets of a page's links and pictures."""
    return re.findall(r"\]\(([^)\s]+)\)", prose_of(page))


def anchors(page: str) -> set[str]:
    """The anchors of a page's headings, as repository hosts make them."""
    headings = re.findall(r"^#{1,6} (.+)$", prose_of(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


class _Found(Exception):
    def __init__(self, parser: argparse.ArgumentParser) -> None:
        super().__init__()
        self.parser = parser


def parser_of(command: Callable[[], object]) -> argparse.ArgumentParser:
    """The parser that a command parses its arguments with; nothing else of the command is run."""

    def find(parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        raise _Found(parser)

    with (
        patch("argparse.ArgumentParser.parse_args", find),
        patch("argparse.ArgumentParser.parse_known_args", find),
    ):
        try:
            command()
        except _Found as found:
            return found.parser
    raise AssertionError("it parses no arguments")


def flags_of(parser: argparse.ArgumentParser) -> set[str]:
    """The long flags of a parser, but for --help."""
    return {
        flag
        for action in _actions(parser)
        for flag in action.option_strings
        if flag.startswith("--")
    } - {"--help"}


def subcommands_of(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    """The parsers of a parser's commands, by name."""
    (choices,) = (
        action.choices
        for action in _actions(parser)
        if isinstance(action, argparse._SubParsersAction)
    )
    return dict(choices)


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    yield from parser._actions
