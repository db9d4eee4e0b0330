"""Read the documentation: its pages, code blocks, tables, commands, links and anchors."""

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
# Their commands run first, in this order, with an empty installation.
FIRST = ("docs/http-api.md", "docs/privacy.md")
PAGES = (*FIRST, README, CONTRIBUTING, "SECURITY.md", *(page for page in DOCS if page not in FIRST))
"""All pages about the present state, which the changelog is not."""

FOLDER = "/home/you/enhanced-data-capture"
"""The folder of the installation in the pages."""


def text_of(page: str) -> str:
    """Return the text of a page, named by its path in the repository."""
    return (REPOSITORY / page).read_text()


def prose_of(page: str) -> str:
    """Return the text of a page without its code blocks."""
    return re.sub(r"^```.*?^```$", "", text_of(page), flags=re.DOTALL | re.MULTILINE)


def blocks(page: str, language: str) -> list[str]:
    """Return a page's code blocks in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text_of(page), re.DOTALL | re.MULTILINE)


def documented_calls() -> list[str]:
    """Return the calls of the script's functions in the documentation, without comments."""
    call = re.compile(r"^(?:window\.)?enhancedDataCapture\b[^;\n]*(?=;)", re.MULTILINE)
    languages = ("js", "javascript", "ts", "typescript")
    found = (blocks(page, language) for page in (README, *DOCS) for language in languages)
    return [line for page_blocks in found for block in page_blocks for line in call.findall(block)]


def documented_output(page: str, beginning: str) -> str:
    """Return the documented output that begins with some words."""
    (output,) = (block for block in blocks(page, "text") if block.startswith(beginning))
    return output.rstrip("\n")


def table_rows(page: str, heading: str) -> list[list[str]]:
    """Return the rows of the first table below a heading, as cells."""
    section = re.split(r"\n#{1,6} ", text_of(page).split(f"\n{heading}\n", 1)[1], maxsplit=1)[0]
    return _cells_of(section[section.index("\n|") + 1 :].split("\n\n", 1)[0])


def all_table_rows(page: str, title: str) -> list[list[str]]:
    """Return the rows of the table whose first column has a title."""
    text = text_of(page)
    return _cells_of(text[text.index(f"\n| {title} |") + 1 :].split("\n\n", 1)[0])


def _cells_of(table: str) -> list[list[str]]:
    lines = [line for line in table.splitlines()[2:] if line.startswith("|")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


def code_in(cell: str) -> list[str]:
    """Return the code in a cell of a table."""
    return re.findall(r"`([^`]+)`", cell)


class Command(NamedTuple):
    """A command line of a page, with its documented output."""

    page: str
    line: str
    output: str


def commands(page: str) -> list[Command]:
    """Return a page's command lines.

    A line that ends with a backslash or inside quotes continues in the next line.
    """
    found = []
    for block in blocks(page, "console"):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            lines = part.splitlines()
            end = 1
            while _continues("\n".join(lines[:end])):
                end += 1
            line = "\n".join(lines[:end]).replace("\\\n", " ")
            found.append(Command(page, line, "\n".join(lines[end:]).strip()))
    return found


def _continues(text: str) -> bool:
    if text.endswith("\\"):
        return True
    try:
        shlex.split(text)
    except ValueError:
        return True
    return False


def all_commands() -> list[Command]:
    """Return the command lines of all pages."""
    return [command for page in PAGES for command in commands(page)]


def links(page: str) -> list[str]:
    """Return the targets of a page's links and images."""
    return re.findall(r"\]\(([^)\s]+)\)", prose_of(page))


def anchors(page: str) -> set[str]:
    """Return the anchors of a page's headings, as repository hosts form them."""
    headings = re.findall(r"^#{1,6} (.+)$", prose_of(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


class _ParserFound(Exception):
    def __init__(self, parser: argparse.ArgumentParser) -> None:
        super().__init__()
        self.parser = parser


def parser_of(command: Callable[[], object]) -> argparse.ArgumentParser:
    """Return the argument parser of a command; the command ends when it parses its arguments."""

    def find(parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        raise _ParserFound(parser)

    with (
        patch("argparse.ArgumentParser.parse_args", find),
        patch("argparse.ArgumentParser.parse_known_args", find),
    ):
        try:
            command()
        except _ParserFound as found:
            return found.parser
    raise AssertionError("the command parses no arguments")


def flags_of(parser: argparse.ArgumentParser) -> set[str]:
    """Return the long flags of a parser, except --help."""
    return {
        flag
        for action in _actions(parser)
        for flag in action.option_strings
        if flag.startswith("--")
    } - {"--help"}


def subcommands_of(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    """Return the parsers of a parser's subcommands, by name."""
    (choices,) = (
        action.choices
        for action in _actions(parser)
        if isinstance(action, argparse._SubParsersAction)
    )
    return dict(choices)


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    yield from parser._actions
