"""What one machine can do to the services, caused and not imitated: kills (`python -m tests.faults`), failing disks, clocks."""
