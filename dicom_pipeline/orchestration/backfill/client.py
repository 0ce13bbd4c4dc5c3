"""What is asked of Dagster's web server: launching backfills, how they are, cancelling them.

Scope: the few GraphQL queries and what can go wrong with them, each error one line. Where a web server is, and whether
to start one, is known to ``desk.py`` and ``backfill.py``.
"""

import json
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dicom_pipeline.errors import ConfigurationError, PipelineError

FINISHED = frozenset({"COMPLETED", "COMPLETED_SUCCESS", "COMPLETED_FAILED", "CANCELED", "FAILED"})
_TIMEOUT_SECONDS = 60
NEEDED_DAEMONS = ("BACKFILL", "QUEUED_RUN_COORDINATOR")
"""The daemons without which a backfill stands still."""

_LOCATIONS = """
{ workspaceOrError { ... on Workspace { locationEntries { name loadStatus } } } }
"""
_DAEMONS = "{ instance { daemonHealth { allDaemonStatuses { daemonType lastHeartbeatTime } } } }"
_LAUNCH = """
mutation($parameters: LaunchBackfillParams!) { launchPartitionBackfill(backfillParams: $parameters) {
    __typename
    ... on LaunchBackfillSuccess { backfillId }
    ... on PythonError { message }
    ... on PartitionKeysNotFoundError { message }
} }
"""
_STATE = """
query($id: String!) { partitionBackfillOrError(backfillId: $id) {
    __typename
    ... on PartitionBackfill { status error { message } }
} }
"""
_CANCEL = "mutation($id: String!) { cancelPartitionBackfill(backfillId: $id) { __typename } }"
_RELOAD = "mutation($name: String!) { reloadRepositoryLocation(repositoryLocationName: $name) { __typename } }"


class DeskUnreachable(PipelineError):
    """Nobody answers there, or not as Dagster's web server does; asking again later may help."""

    transient = True


class LaunchRefused(PipelineError):
    """Dagster does not know these assets or dates, or could not launch them."""


@dataclass(frozen=True, slots=True)
class BackfillState:
    """How a backfill is: Dagster's word for it, and its error if it failed as a whole."""

    status: str
    error: str | None = None

    @property
    def finished(self) -> bool:
        """Whether nothing will happen to it any more."""
        return self.status in FINISHED


class DeskClient:
    """Dagster's web server at an address."""

    def __init__(self, url: str) -> None:
        """Take the address, with or without a slash at its end."""
        self.url = url.rstrip("/")
        if not self.url.startswith(("http://", "https://")):
            raise ConfigurationError("--ui: give the address of Dagster's web server, such as http://127.0.0.1:3000")

    def backfill_url(self, backfill_id: str) -> str:
        """Return where a person looks at a backfill."""
        return f"{self.url}/runs/b/{backfill_id}"

    def has_loaded(self) -> bool:
        """Tell whether every code location is loaded, or could not be.

        Raises:
            DeskUnreachable: Nobody answers.
        """
        entries = self._ask(_LOCATIONS)["workspaceOrError"].get("locationEntries", [])
        return bool(entries) and all(entry["loadStatus"] == "LOADED" for entry in entries)

    def heartbeats(self) -> dict[str, float]:
        """Return when each daemon a backfill needs said last that it lives, in seconds since 1970; 0 for never."""
        statuses = self._ask(_DAEMONS)["instance"]["daemonHealth"]["allDaemonStatuses"]
        seen = {status["daemonType"]: float(status["lastHeartbeatTime"] or 0) for status in statuses}
        return {daemon: seen.get(daemon, 0.0) for daemon in NEEDED_DAEMONS}

    def reload(self) -> None:
        """Have every code location loaded anew: archives may have come since."""
        for entry in self._ask(_LOCATIONS)["workspaceOrError"].get("locationEntries", []):
            self._ask(_RELOAD, name=entry["name"])

    def launch(
        self, assets: Sequence[Sequence[str]], partitions: Sequence[str], title: str, tags: Mapping[str, str]
    ) -> str:
        """Launch a backfill of partitions of assets and return its id.

        Raises:
            LaunchRefused: Dagster does not know them.
            DeskUnreachable: Nobody answers.
        """
        parameters = {
            "assetSelection": [{"path": list(path)} for path in assets],
            "partitionNames": list(partitions),
            "title": title,
            "tags": [{"key": key, "value": value} for key, value in tags.items()],
        }
        answer = self._ask(_LAUNCH, parameters=parameters)["launchPartitionBackfill"]
        if "backfillId" not in answer:
            raise LaunchRefused(f"Dagster refused the backfill ({answer['__typename']}): look at {self.url}")
        return str(answer["backfillId"])

    def state(self, backfill_id: str) -> BackfillState:
        """Return how a backfill is.

        Raises:
            DeskUnreachable: Nobody answers.
        """
        answer = self._ask(_STATE, id=backfill_id)["partitionBackfillOrError"]
        if "status" not in answer:
            return BackfillState("FAILED", "Dagster does not know it any more")
        error = answer["error"]
        return BackfillState(answer["status"], str(error["message"]).partition("\n")[0] if error else None)

    def cancel(self, backfill_id: str) -> None:
        """Ask for a backfill's end: runs that wait are dropped, one that goes on is interrupted."""
        self._ask(_CANCEL, id=backfill_id)

    def _ask(self, query: str, **variables: object) -> dict[str, Any]:
        request = urllib.request.Request(
            f"{self.url}/graphql",
            json.dumps({"query": query, "variables": variables}).encode(),
            {"Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS) as answer:
                told = json.load(answer)
        except (OSError, ValueError) as error:
            reason = getattr(error, "reason", None) or type(error).__name__
            raise DeskUnreachable(f"Dagster's web server at {self.url} does not answer: {reason}") from None
        if not isinstance(told, dict) or told.get("errors") or not isinstance(told.get("data"), dict):
            raise DeskUnreachable(f"what answers at {self.url} is not Dagster's web server, or of another version")
        data: dict[str, Any] = told["data"]
        return data
