"""What one machine can do to the services, caused and not imitated: kills (`python3 -m tests.faults`), failing disks, clocks."""
