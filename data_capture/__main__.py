"""The operator's commands: `python3 -m data_capture COMMAND`; `--help` lists them."""

# ruff: noqa: E402  (the environment must exist before a package is imported)

import os
import sys

# Run as `python /path/to/data_capture` from any folder, as cron jobs do.
if not __package__:
    sys.path[0] = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

from data_capture.bootstrap import ensure_environment

ensure_environment(os.path.dirname(os.path.abspath(__file__)), __name__)

from data_capture.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
