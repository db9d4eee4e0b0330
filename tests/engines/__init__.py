"""The capture script in Chromium, Firefox and WebKit, in front of the real service; `python3 -m tests.engines` runs it."""
