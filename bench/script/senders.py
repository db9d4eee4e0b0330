"""What is measured: the capture script, and five SDKs, each as the smallest program that sends what a page saves."""

from __future__ import annotations

import gzip
import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

from bench.installing import Missing, packages_of
from tests.support import REPOSITORY

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
_MAX_SECONDS = 120
_GZIP_LEVEL = 9


@dataclass(frozen=True)
class Sender:
    """A sender: its code as a page runs it, and its sizes in bytes after gzip.

    Attributes:
        minified_bytes: minified by esbuild (SDKs, with the adapter's few lines) or terser (ours); 0 when not known.
        served_bytes: as it is served without a build step; ours only.
    """

    name: str
    version: str
    code: str
    minified_bytes: int
    served_bytes: int = 0

    @property
    def is_ours(self) -> bool:
        """Whether this is the capture script."""
        return self.name == OURS


def senders(wanted: str, install: bool) -> tuple[list[Sender], dict[str, str]]:
    """The senders whose name begins with `wanted`, ours first; and why others are left out.

    Args:
        wanted: the beginning of a name, in any case; empty for all.
        install: whether packages may be installed.
    """
    left_out: dict[str, str] = {}
    try:
        packages_of(HERE, "terser and the SDKs", install=install)
    except Missing as reason:
        left_out = {name: str(reason) for name in _SDKS}
    found = [_ours(has_terser=not left_out)]
    for name, (adapter, package) in _SDKS.items():
        if name not in left_out and name.lower().startswith(wanted.lower()):
            try:
                found.append(_sdk(name, adapter, package))
            except Missing as reason:
                left_out[name] = str(reason)
    return [sender for sender in found if sender.name.lower().startswith(wanted.lower())], left_out


def _ours(*, has_terser: bool) -> Sender:
    code = SCRIPT.read_text()
    minified = _zipped(_run("terser", str(SCRIPT), "--compress", "--mangle")) if has_terser else 0
    return Sender(OURS, "", code, minified, _zipped(code))


def _sdk(name: str, adapter: str, package: str) -> Sender:
    code = _run(
        "esbuild", f"adapters/{adapter}.js", "--bundle", "--minify", "--format=iife",
        "--target=es2020", "--define:process.env.NODE_ENV=\"production\"",
    )  # fmt: skip
    version = json.loads((HERE / "node_modules" / package / "package.json").read_text())["version"]
    return Sender(name, version, code, _zipped(code))


def _run(program: str, *arguments: str) -> str:
    """What one of the packages' programs prints."""
    outcome = subprocess.run(
        [str(HERE / "node_modules" / ".bin" / program), *arguments], cwd=HERE, stdin=subprocess.DEVNULL, capture_output=True,
        text=True, check=False, timeout=_MAX_SECONDS,
    )  # fmt: skip
    if outcome.returncode != 0:
        said = [line for line in outcome.stderr.splitlines() if line.strip()] or ["it said nothing"]
        raise Missing(f"{program} failed: {said[0].strip()}")
    return outcome.stdout


def _zipped(code: str) -> int:
    return len(gzip.compress(code.encode(), _GZIP_LEVEL, mtime=0))
