"""Build the argument parser from the modules of `commands/`."""

from __future__ import annotations

import argparse

from data_capture.cli.commands import (
    admin_token,
    backup,
    doctor,
    erase,
    export,
    import_,
    restore,
    retention,
    set_password,
    verify_audit,
    write_token,
)

_PROGRAM = "python3 -m data_capture"

_COMMANDS = (
    backup,
    restore,
    admin_token,
    write_token,
    export,
    import_,
    erase,
    set_password,
    retention,
    verify_audit,
    doctor,
)


def build_parser() -> argparse.ArgumentParser:
    """Build the parser; `run` of the parsed arguments is the command's function."""
    names = [
        module.__name__.rpartition(".")[2].rstrip("_").replace("_", "-") for module in _COMMANDS
    ]
    summaries = [
        f"  {name:12} {module.SUMMARY}" for name, module in zip(names, _COMMANDS, strict=True)
    ]
    parser = argparse.ArgumentParser(
        prog=_PROGRAM,
        usage="%(prog)s COMMAND …",
        description="\n".join(
            [
                "Operate Enhanced Data Capture.",
                "",
                *summaries,
                "",
                f"{_PROGRAM} COMMAND --help explains a command.",
            ]
        ),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(
        dest="command", required=True, metavar="COMMAND", prog=_PROGRAM, help=argparse.SUPPRESS
    )
    for name, module in zip(names, _COMMANDS, strict=True):
        command = commands.add_parser(
            name,
            description=module.DESCRIPTION,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        module.add_arguments(command)
        command.set_defaults(run=module.run)
    return parser
