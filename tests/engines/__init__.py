"""The capture script in Chromium, Firefox and WebKit, in front of the real service; `python -m tests.engines` runs it."""
