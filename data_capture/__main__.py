"""The operator's commands: `python3 -m data_capture COMMAND`; `--help` lists them."""

# ruff: noqa: E402  (the environment is made before anything from a package is imported)

import os
import sys

if not __package__:  # run as `python /some/where/data_capture`, from any folder: a cron job's way
    sys.path[0] = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

from data_capture.bootstrap import ensure_environment

ensure_environment(os.path.dirname(os.path.abspath(__file__)), __name__)

from data_capture.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
