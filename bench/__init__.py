"""The benchmarks: `python3 -m bench` measures the service beside other ways of doing the same, on this machine, in one run."""
