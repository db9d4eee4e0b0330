"""Tests of data_capture/webhooks/ and the address of the webhooks."""
