"""The commands of `python3 -m data_capture`: one module each.

A module has

    SUMMARY          one line for the list of commands
    DESCRIPTION      the text of `COMMAND --help`
    add_arguments    adds the command's arguments to its parser
    run              runs the command and returns its exit status

`run` imports what the command needs, so that `--help` is fast, and a backup can be made even where
a package that only the services need is broken.
"""
