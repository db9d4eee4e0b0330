"""The startup manager: it starts both services, watches them and stops them.

manager              `main`: checks before the start, starts, prints, waits for a signal
startup_checks       why the services cannot be started
supervised_service   keeping one service running, in a thread
health_tracker       when a running service is healthy, and when it hangs
service_process      the process of a service: starting, its output, stopping
services             the two services, and asking them for their health
"""

from data_capture.supervisor.manager import main

__all__ = ["main"]
