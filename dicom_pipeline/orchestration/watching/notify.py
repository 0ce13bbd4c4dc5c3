"""Telling somebody outside, by a webhook, that a run failed.

Scope: what is said, and how it is sent. Ids and counts only: no text of an error, no date, no path. The URL comes from
the environment alone, since such URLs are secrets; it is never logged. Sending takes bounded time, whatever the other
side does, and follows no redirect. No Dagster.
"""

import http.client
import ipaddress
import json
import queue
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from urllib.parse import urlsplit

from dicom_pipeline import __version__
from dicom_pipeline.errors import ConfigurationError

WEBHOOK_VARIABLE = "DICOM_PIPELINE_WEBHOOK"
_SECONDS = 10.0
_ATTEMPTS = 2
_PAUSE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class FailedRun:
    """A failed run in ids and counts.

    Attributes:
        tenant: Whose archive.
        job: Name of the job.
        run_id: Where the rest stands, for those who may see it.
        dates: How many dates the run had; None if it had none or did not come that far.
        dates_failed: How many of them failed.
        will_be_repeated: Whether Dagster starts it again by itself.
    """

    tenant: str
    job: str
    run_id: str
    dates: int | None = None
    dates_failed: int | None = None
    will_be_repeated: bool = False

    def message(self) -> dict[str, object]:
        """Return what is sent; ``text`` is what Slack, Mattermost and Teams show."""
        counts = f", {self.dates_failed} of {self.dates} dates" if self.dates_failed is not None else ""
        again = ", it will be repeated" if self.will_be_repeated else ""
        text = f"dicom-pipeline: a run of {self.job} failed{counts}{again} (tenant {self.tenant}, run {self.run_id})"
        return {"text": text, "event": "run_failed", **asdict(self)}


@dataclass(frozen=True, slots=True)
class Delivery:
    """What became of a message, in words that name no URL."""

    good: bool
    told: str


def webhook_url(environment: Mapping[str, str]) -> str | None:
    """Return the webhook's URL; None if there is none.

    Raises:
        ConfigurationError: It is not https (nor http on the loopback interface), or holds a user or password.
    """
    url = environment.get(WEBHOOK_VARIABLE)
    if not url:
        return None
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host, parts = None, urlsplit("")
    if not host or not (parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(host))):
        raise ConfigurationError(
            f"{WEBHOOK_VARIABLE} must be an https:// URL, or http:// on the loopback interface (127.0.0.1)"
        )
    if "@" in parts.netloc or any(character.isspace() or not character.isprintable() for character in url):
        raise ConfigurationError(f"{WEBHOOK_VARIABLE} must hold no user, password or blank: put a token in its path")
    return url


def send(url: str, run: FailedRun, *, seconds: float = _SECONDS) -> Delivery:
    """Send the message, twice if need be, in ``seconds`` at most.

    A thread does it, and is left behind where the other side answers byte by byte.
    """
    answers: queue.Queue[Delivery] = queue.Queue()
    body = json.dumps(run.message()).encode()
    threading.Thread(target=_deliver, args=(url, body, seconds, answers), name="webhook", daemon=True).start()
    try:
        return answers.get(timeout=seconds)
    except queue.Empty:
        return Delivery(False, f"the webhook did not answer within {seconds:g} seconds")


def _deliver(url: str, body: bytes, seconds: float, answers: "queue.Queue[Delivery]") -> None:
    deadline = time.monotonic() + seconds
    delivery = Delivery(False, "the webhook was not asked")
    for attempt in range(_ATTEMPTS):
        if attempt:
            time.sleep(_PAUSE_SECONDS)
        left = deadline - time.monotonic()
        if left <= 0:
            break
        delivery, again = _post(url, body, left / (_ATTEMPTS - attempt))
        if not again:
            break
    answers.put(delivery)


def _post(url: str, body: bytes, seconds: float) -> tuple[Delivery, bool]:
    """Return what came of one request, and whether another makes sense."""
    headers = {"Content-Type": "application/json", "User-Agent": f"dicom-pipeline/{__version__}"}
    request = urllib.request.Request(url, body, headers, method="POST")
    try:
        with _opener(url).open(request, timeout=seconds) as response:
            return Delivery(True, f"the webhook answered {response.status}"), False
    except urllib.error.HTTPError as error:
        error.close()
        return Delivery(False, f"the webhook answered {error.code}"), error.code >= 500 or error.code == 429
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        return Delivery(False, f"the webhook could not be reached ({type(reason).__name__})"), True


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """What was meant for one host goes to no other."""

    def redirect_request(self, *_: object) -> None:
        """Follow nothing: the answer is told as it is."""


def _opener(url: str) -> urllib.request.OpenerDirector:
    # On the loopback interface a proxy of the environment would only be in the way.
    proxies = [urllib.request.ProxyHandler({})] if urlsplit(url).scheme == "http" else []
    return urllib.request.build_opener(_NoRedirect, *proxies)


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
