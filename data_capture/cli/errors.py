"""The error that ends a command."""


class Refused(Exception):
    """The command can't do what it was asked for; the text is a sentence for the operator."""
