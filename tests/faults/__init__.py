"""Faults of one machine: killed processes, failing disks, lost files and jumping clocks."""
