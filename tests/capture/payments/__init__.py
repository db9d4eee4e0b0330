"""Tests of data_capture/capture/payments/."""
