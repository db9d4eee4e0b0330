"""The error that ends a command."""


class CommandError(Exception):
    """End the command with status 1.

    The text tells the operator what happened and what to do.
    """
