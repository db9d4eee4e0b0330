"""The browser script and five SDKs, each as a small program that sends captures."""

from __future__ import annotations

import gzip
import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

from bench.installing import NotInstalled, prepare_node
from tests.support.services import REPOSITORY

HERE = Path(__file__).resolve().parent
SCRIPT = REPOSITORY / "frontend_data_capture_integration.js"
OURS = "Enhanced Data Capture"
_SDKS = {
    "Segment": ("segment", "@segment/analytics-next"),
    "PostHog": ("posthog", "posthog-js"),
    "RudderStack": ("rudderstack", "@rudderstack/analytics-js"),
    "Sentry (offline)": ("sentry", "@sentry/browser"),
    "Snowplow": ("snowplow", "@snowplow/browser-tracker"),
}
_BUILD_TIMEOUT_SECONDS = 120
_GZIP_LEVEL = 9  # the highest


@dataclass(frozen=True)
class Sender:
    """Something that sends captures from a page.

    Attributes:
        name: its name in the report.
        version: the SDK's version; empty for our script.
        code: the JavaScript that a page runs.
        minified_bytes: the size after gzip, minified by esbuild (SDKs, with the few lines of their
            adapter) or terser (our script); 0 if it is unknown.
        served_bytes: the size after gzip of the file as it is served; only for our script.
    """

    name: str
    version: str
    code: str
    minified_bytes: int
    served_bytes: int = 0

    @property
    def is_ours(self) -> bool:
        """Tell whether this is our script."""
        return self.name == OURS


def find_senders(prefix: str, *, install: bool) -> tuple[list[Sender], dict[str, str]]:
    """Return the senders whose name begins with a text, our script first.

    Args:
        prefix: the beginning of a name, in upper or lower case; empty for all.
        install: whether missing packages may be installed.

    Returns:
        The senders; and for each sender that is left out, the reason.
    """
    left_out: dict[str, str] = {}
    try:
        prepare_node(HERE, "terser and the SDKs", install=install)
    except NotInstalled as reason:
        left_out = {name: str(reason) for name in _SDKS}
    found = [_ours(has_terser=not left_out)]
    for name, (adapter, package) in _SDKS.items():
        if name not in left_out and name.lower().startswith(prefix.lower()):
            try:
                found.append(_sdk(name, adapter, package))
            except NotInstalled as reason:
                left_out[name] = str(reason)
    return [sender for sender in found if sender.name.lower().startswith(prefix.lower())], left_out


def _ours(*, has_terser: bool) -> Sender:
    code = SCRIPT.read_text()
    minified = (
        _gzipped_bytes(_run("terser", str(SCRIPT), "--compress", "--mangle")) if has_terser else 0
    )
    return Sender(OURS, "", code, minified, _gzipped_bytes(code))


def _sdk(name: str, adapter: str, package: str) -> Sender:
    code = _run(
        "esbuild", f"adapters/{adapter}.js", "--bundle", "--minify", "--format=iife",
        "--target=es2020", "--define:process.env.NODE_ENV=\"production\"",
    )  # fmt: skip
    version = json.loads((HERE / "node_modules" / package / "package.json").read_text())["version"]
    return Sender(name, version, code, _gzipped_bytes(code))


def _run(program: str, *arguments: str) -> str:
    """Run a program of the installed packages and return its output."""
    outcome = subprocess.run(
        [str(HERE / "node_modules" / ".bin" / program), *arguments],
        cwd=HERE,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=_BUILD_TIMEOUT_SECONDS,
    )
    if outcome.returncode != 0:
        errors = [line for line in outcome.stderr.splitlines() if line.strip()] or ["no message"]
        raise NotInstalled(f"{program} failed: {errors[0].strip()}")
    return outcome.stdout


def _gzipped_bytes(code: str) -> int:
    return len(gzip.compress(code.encode(), _GZIP_LEVEL, mtime=0))
