"""Loads from the first byte to the outcome, against servers that misbehave in every way they are known to."""

import base64
import io
import ssl
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import pytest

from dicom_pipeline.errors import WarehouseError, WarehouseUnavailable
from dicom_pipeline.warehouse.doris.bodies import Body
from dicom_pipeline.warehouse.doris.load_state import Pace
from dicom_pipeline.warehouse.doris.stream_load import LoadRequest, Outcome, StreamLoader
from dicom_pipeline.warehouse.doris.url import BodyFormat, DorisUrl, Endpoint
from dicom_pipeline_tests.warehouse.doris.servers import Server, Talk, Turn, answering, as_json, http, loading, losing

Serve = Callable[..., Server]
USER, PASSWORD = "loader", "p@ss:/%wörd?#"
SIGNED = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
PATH = "/api/db/dicom_image_meta/_stream_load"
VALUE = "DOE^JOHN"
ROWS = f"{VALUE}\n".encode() * 3
LABEL = "dp:image:20260102:abc"
COLUMNS = ("tenant_id", "patient_name")
TIMEOUT = 600


class Clock:
    """Time that passes only when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.slept.append(seconds)


def unasked() -> Collection[Endpoint]:
    raise AssertionError("the backends were asked for")


def loader(
    server: Server, clock: Clock, backends: Callable[[], Collection[Endpoint]] = unasked, **options: Any
) -> StreamLoader:
    host = options.pop("host", server.endpoint.host)
    password = options.pop("password", PASSWORD)
    url = DorisUrl(
        "doris://loader:***@h/db",
        host=host,
        user=USER,
        password=password,
        database="db",
        http_port=server.endpoint.port,
        **options,
    )
    pace = Pace(clock=lambda: clock.now, sleep=clock.sleep, jitter=lambda: 0.5, until_body=0.05)
    return StreamLoader(url, backends, pace)


def request(
    *, tombstones: bool = False, body_format: BodyFormat = BodyFormat.PARQUET, label: str = LABEL
) -> LoadRequest:
    columns = (*COLUMNS, "_del") if tombstones else COLUMNS
    return LoadRequest(
        "dicom_image_meta", label, columns, Body(io.BytesIO(ROWS), len(ROWS), 3, body_format), tombstones
    )


def redirect(to: Server, *, host: str = "", scheme: str = "http", path: str = PATH + "?") -> Turn:
    """Send a load on as a frontend does, user and password in the address, having read no body."""

    def turn(talk: Talk) -> None:
        talk.read_head()
        where = f"{scheme}://{USER}:p@ss:/%25w%C3%B6rd?#@{host or to.endpoint.host}:{to.endpoint.port}{path}"
        talk.say(http(307, Location=where))
        assert talk.has_gone(), "a frontend got a body"

    return turn


def told(status: str, loaded: int = 3, **more: Any) -> bytes:
    counts = {"NumberTotalRows": loaded, "NumberLoadedRows": loaded, "NumberFilteredRows": 0, "NumberUnselectedRows": 0}
    return as_json(TxnId=1, Label=LABEL, TwoPhaseCommit="false", Status=status, **counts, **more)


def exists(status: str) -> Turn:
    """Refuse a label before the body."""
    return answering(
        told("Label Already Exists", 0, ExistingJobStatus=status, Message=f"[LABEL_ALREADY_EXISTS]{VALUE}")
    )


def failing(message: str, **more: Any) -> Turn:
    return loading(told("Fail", 0, Message=message, **more))


def state(name: str) -> Turn:
    return answering(as_json(msg="success", code=0, data=name, count=0))


LOADED = loading(told("Success"))
NO_BACKEND = answering(as_json(status="FAILED", msg=f"No backend load available, policy: {VALUE}"))


def fails(load: Callable[[], object], *, transient: bool) -> str:
    with pytest.raises(WarehouseError) as caught:
        load()
    assert caught.value.transient is transient
    assert caught.value.__cause__ is None
    text = str(caught.value)
    for secret in (PASSWORD, "p@ss", "w%C3%B6rd", SIGNED.split()[1], VALUE, "\n"):
        assert secret not in text
    return text


def puts(*servers: Server) -> list[Talk]:
    return [talk for server in servers for talk in server.talks if talk.head.startswith("PUT ")]


def check_wire(*servers: Server) -> None:
    """Credentials in the one header they belong in, one label, one body a connection."""
    for server in servers:
        for talk in server.talks:
            assert talk.header("Authorization") == SIGNED
            assert "p@ss" not in talk.head.replace(SIGNED, "")
            assert "ookie" not in talk.head
    assert {talk.header("label") for talk in puts(*servers)} <= {LABEL}
    assert all(body == ROWS for server in servers for body in server.bodies)


class Cluster:
    """A frontend and a backend with their turns; REDIRECT stands for the redirect to this backend."""

    def __init__(self, serve: Serve, frontend: list[Any], backend: list[Turn], **options: Any) -> None:
        self.be = serve(*backend)
        self.fe = serve(*(redirect(self.be) if turn is REDIRECT else turn for turn in frontend))
        self.clock = Clock()
        self.loader = loader(self.fe, self.clock, **options)

    def load(self) -> Outcome:
        outcome = self.loader.load(request())
        check_wire(self.fe, self.be)
        return outcome

    def fails(self, *, transient: bool) -> str:
        text = fails(lambda: self.loader.load(request()), transient=transient)
        check_wire(self.fe, self.be)
        return text


REDIRECT = object()


def test_a_load_goes_to_the_frontend_without_and_to_the_backend_with_its_body(serve: Serve) -> None:
    cluster = Cluster(serve, [REDIRECT], [LOADED])
    assert cluster.load() is Outcome.LOADED
    assert cluster.fe.talks[0].header("Content-Length") == "0"
    assert cluster.be.bodies == [ROWS]
    assert cluster.clock.slept == []


@pytest.mark.parametrize("step", ["fe", "be"])
def test_both_requests_say_everything(serve: Serve, step: str) -> None:
    cluster = Cluster(serve, [REDIRECT], [LOADED])
    cluster.load()
    talk = getattr(cluster, step).talks[0]
    assert talk.head.startswith(f"PUT {PATH} HTTP/1.1\r\n")
    expected = {
        "Expect": "100-continue",
        "Authorization": SIGNED,
        "label": LABEL,
        "format": "parquet",
        "columns": "`tenant_id`,`patient_name`",
        "strict_mode": "true",
        "max_filter_ratio": "0",
        "timeout": str(TIMEOUT),
        "timezone": "+00:00",
        "group_commit": "off_mode",
        "merge_type": "APPEND",
    }
    assert {name: talk.header(name) for name in expected} == expected
    for absent in ("two_phase_commit", "delete", "read_json_by_line", "Transfer-Encoding"):
        assert f"\r\n{absent}:" not in talk.head


def test_tombstones_are_merged(serve: Serve) -> None:
    cluster = Cluster(serve, [REDIRECT], [LOADED])
    assert cluster.loader.load(request(tombstones=True)) is Outcome.LOADED
    for talk in puts(cluster.fe, cluster.be):
        assert talk.header("columns") == "`tenant_id`,`patient_name`,_del"
        assert talk.header("merge_type") == "MERGE"
        assert talk.header("delete") == "_del=1"


def test_json_goes_by_line(serve: Serve) -> None:
    cluster = Cluster(serve, [REDIRECT], [LOADED])
    cluster.loader.load(request(body_format=BodyFormat.JSON))
    for talk in puts(cluster.fe, cluster.be):
        assert talk.header("format") == "json"
        assert talk.header("read_json_by_line") == "true"


def test_an_empty_password(serve: Serve) -> None:
    cluster = Cluster(serve, [REDIRECT], [LOADED], password="")
    assert cluster.loader.load(request()) is Outcome.LOADED
    assert cluster.be.talks[0].header("Authorization") == "Basic " + base64.b64encode(b"loader:").decode()


@pytest.mark.parametrize("label", ["", "a/b", "a b", "é", "x" * 129, "a\nb"])
def test_labels_that_doris_would_not_take_are_not_sent(serve: Serve, label: str) -> None:
    server = serve()
    fails(lambda: loader(server, Clock()).load(request(label=label)), transient=False)


def test_a_body_that_is_refused_before_it_is_sent_is_not_sent(serve: Serve) -> None:
    cluster = Cluster(serve, [REDIRECT], [answering(told("Fail", 0, Message="[ANALYSIS_ERROR]unknown table"))])
    assert "prepare the tables" in cluster.fails(transient=False)
    assert cluster.be.bodies == []


def test_success_with_other_counts_is_an_error(serve: Serve) -> None:
    cluster = Cluster(serve, [REDIRECT], [loading(told("Success", 2, FirstErrorMsg=VALUE))])
    assert "of 3 rows sent it loaded 2" in cluster.fails(transient=False)


def test_group_commit_is_an_error(serve: Serve) -> None:
    cluster = Cluster(serve, [REDIRECT], [loading(told("Success", GroupCommit=True))])
    assert "group_commit_mode" in cluster.fails(transient=False)


# Labels that exist, and answers that are lost


@pytest.mark.parametrize("job", ["FINISHED", "RUNNING", "PRECOMMITTED"])
def test_a_label_that_another_load_has_finished_is_taken(serve: Serve, job: str) -> None:
    cluster = Cluster(serve, [REDIRECT, state("COMMITTED"), state("VISIBLE")], [exists(job)])
    assert cluster.load() is Outcome.TAKEN
    assert cluster.be.bodies == []


@pytest.mark.parametrize("read_body", [True, False])
@pytest.mark.parametrize("job", ["FINISHED", "RUNNING"])
def test_a_label_that_an_own_lost_request_may_have_finished_is_loaded(serve: Serve, job: str, read_body: bool) -> None:
    frontend = [REDIRECT, state("UNKNOWN"), REDIRECT, state("VISIBLE")]
    assert Cluster(serve, frontend, [losing(read_body), exists(job)]).load() is Outcome.LOADED


def test_a_request_that_never_reached_a_backend_leaves_the_label_to_others(serve: Serve) -> None:
    frontend = [losing(False), answering(http(502)), NO_BACKEND, REDIRECT, state("VISIBLE")]
    assert Cluster(serve, frontend, [exists("FINISHED")]).load() is Outcome.TAKEN


def test_a_request_that_was_known_to_fail_leaves_the_label_to_others(serve: Serve) -> None:
    cluster = Cluster(serve, [REDIRECT, REDIRECT, state("VISIBLE")], [failing("[NOT_MASTER]"), exists("FINISHED")])
    assert cluster.load() is Outcome.TAKEN


def test_a_call_before_does_not_count_as_this_ones(serve: Serve) -> None:
    frontend = [REDIRECT, state("VISIBLE"), REDIRECT, state("VISIBLE")]
    cluster = Cluster(serve, frontend, [losing(), exists("FINISHED")])
    assert cluster.load() is Outcome.LOADED
    assert cluster.load() is Outcome.TAKEN


@pytest.mark.parametrize("end", ["ABORTED", "UNKNOWN"])
def test_the_same_label_is_sent_again_when_the_load_that_had_it_is_gone(serve: Serve, end: str) -> None:
    frontend = [REDIRECT, state("PREPARE"), state(end), REDIRECT]
    cluster = Cluster(serve, frontend, [exists("RUNNING"), LOADED])
    assert cluster.load() is Outcome.LOADED
    assert cluster.be.bodies == [ROWS]


@pytest.mark.parametrize(
    "states", [["VISIBLE"], ["COMMITTED", "VISIBLE"], ["PREPARE", "PREPARE", "COMMITTED", "VISIBLE"]]
)
def test_a_lost_answer_of_a_load_that_was_committed(serve: Serve, states: list[str]) -> None:
    cluster = Cluster(serve, [REDIRECT, *map(state, states)], [losing()])
    assert cluster.load() is Outcome.LOADED
    assert cluster.be.bodies == [ROWS]
    assert len(cluster.clock.slept) == len(states) - 1


@pytest.mark.parametrize("states", [["UNKNOWN"], ["ABORTED"], ["PREPARE", "ABORTED"]])
def test_a_lost_answer_of_a_load_that_was_not(serve: Serve, states: list[str]) -> None:
    cluster = Cluster(serve, [REDIRECT, *map(state, states), REDIRECT], [losing(), LOADED])
    assert cluster.load() is Outcome.LOADED
    assert cluster.be.bodies == [ROWS, ROWS]


@pytest.mark.parametrize(
    "lost",
    [
        loading(http(502, "<html>Bad Gateway</html>")),
        loading(b'HTTP/1.1 200 OK\r\n\r\n{"Status": "Succ'),
        loading(b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n{"),
        loading(http(200, "{" + " " * (1 << 21) + "}")),
        loading(http(200, "<html>")),
        loading(b""),
        loading(b"HTTP/1.1 2"),
        failing("[THRIFT_RPC_ERROR]x"),
        Talk.read_head,
    ],
    ids=["502", "truncated", "cut", "oversized", "html", "closed", "cut head", "commit", "closed early"],
)
def test_whatever_answer_cannot_be_read_the_state_decides(serve: Serve, lost: Turn) -> None:
    assert Cluster(serve, [REDIRECT, state("VISIBLE")], [lost]).load() is Outcome.LOADED


def test_a_chunked_answer(serve: Serve) -> None:
    body = told("Success").partition(b"\r\n\r\n")[2]
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (body[:7], body[7:])) + b"0\r\n\r\n"
    turn = loading(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks)
    assert Cluster(serve, [REDIRECT], [turn]).load() is Outcome.LOADED


def test_the_state_is_asked_of_the_frontend_with_credentials(serve: Serve) -> None:
    cluster = Cluster(serve, [REDIRECT, state("VISIBLE")], [losing()])
    cluster.load()
    assert cluster.fe.heads[1].startswith(f"GET /api/db/get_load_state?label={LABEL} HTTP/1.1\r\n")
    assert cluster.fe.talks[1].header("Authorization") == SIGNED


def test_a_backend_that_cannot_be_connected_to_has_loaded_nothing(serve: Serve) -> None:
    gone = serve()
    gone.stop()
    be = serve(exists("FINISHED"))
    fe = serve(redirect(gone), redirect(be), state("VISIBLE"))
    assert loader(fe, Clock()).load(request()) is Outcome.TAKEN


def test_publish_timeout_is_loaded_once_visible(serve: Serve) -> None:
    frontend = [REDIRECT, state("COMMITTED"), state("UNKNOWN"), state("COMMITTED"), state("VISIBLE")]
    cluster = Cluster(serve, frontend, [loading(told("Publish Timeout", 0))])
    assert cluster.load() is Outcome.LOADED
    assert len(cluster.be.bodies) == 1


def forever(name: str) -> list[Turn]:
    """States for the request's timeout and more, at pauses that grow to five seconds."""
    return [state(name)] * (TIMEOUT // 5 + 10)


def patience(cluster: Cluster, transient: bool = True) -> str:
    text = cluster.fails(transient=transient)
    assert TIMEOUT <= cluster.clock.now <= TIMEOUT + 10
    assert LABEL in text
    assert cluster.fe.turns
    cluster.fe.turns.clear()
    return text


def test_a_commit_that_never_becomes_visible_is_waited_for_as_long_as_a_load(serve: Serve) -> None:
    cluster = Cluster(serve, [REDIRECT, *forever("COMMITTED")], [loading(told("Publish Timeout"))])
    assert "committed" in patience(cluster)


def test_a_load_that_never_ends_is_waited_for_as_long(serve: Serve) -> None:
    cluster = Cluster(serve, [REDIRECT, *forever("PREPARE")], [exists("RUNNING")])
    assert "still under way" in patience(cluster)


def test_a_transaction_that_waits_for_somebody_is_named(serve: Serve) -> None:
    cluster = Cluster(serve, [REDIRECT, *forever("PRECOMMITTED")], [exists("PRECOMMITTED")])
    assert "commit or abort" in patience(cluster)


def broken_states(count: int) -> list[Turn]:
    kinds = [losing(False), answering(http(502)), answering(as_json(msg="Unauthorized", code=401, data=VALUE))]
    return [kinds[n % len(kinds)] for n in range(count)]


def test_where_the_state_cannot_be_asked_the_same_label_is_sent_again(serve: Serve) -> None:
    frontend = [REDIRECT, *broken_states(5), REDIRECT]
    assert Cluster(serve, frontend, [losing(), LOADED]).load() is Outcome.LOADED


def test_a_question_that_fails_now_and_then_is_asked_again(serve: Serve) -> None:
    states = [*broken_states(4), state("PREPARE"), *broken_states(4), state("VISIBLE")]
    assert Cluster(serve, [REDIRECT, *states], [losing()]).load() is Outcome.LOADED


def test_a_commit_whose_visibility_cannot_be_asked(serve: Serve) -> None:
    cluster = Cluster(serve, [REDIRECT, *broken_states(5)], [loading(told("Publish Timeout"))])
    assert "committed" in cluster.fails(transient=True)
    cluster = Cluster(serve, [REDIRECT, state("COMMITTED"), *broken_states(5)], [losing()])
    assert "committed" in cluster.fails(transient=True)


def test_an_outcome_that_cannot_be_learnt_is_said_to_be_unknown(serve: Serve) -> None:
    frontend = [turn for _ in range(5) for turn in (REDIRECT, *broken_states(5))]
    text = Cluster(serve, frontend, [losing() for _ in range(5)]).fails(transient=True)
    assert "unknown" in text
    assert LABEL in text
    assert "running the date again settles it" in text


def test_an_outcome_stays_unknown_whatever_fails_after(serve: Serve) -> None:
    frontend = [REDIRECT, *broken_states(5), *[NO_BACKEND] * 4]
    assert "unknown" in Cluster(serve, frontend, [losing()]).fails(transient=True)


# Trying again


def truncated(talk: Talk) -> None:
    talk.read_head()
    talk.say(b'HTTP/1.1 200 OK\r\nContent-Length: 90\r\n\r\n{"sta')


@pytest.mark.parametrize(
    "passing",
    [NO_BACKEND, losing(False), answering(http(503, "<html>")), truncated],
    ids=["no backend", "lost", "503", "truncated"],
)
def test_what_passes_at_the_frontend_is_tried_again(serve: Serve, passing: Turn) -> None:
    cluster = Cluster(serve, [passing, passing, REDIRECT], [LOADED])
    assert cluster.load() is Outcome.LOADED
    assert cluster.clock.slept == [0.2, 0.4]


def test_pauses_are_spread(serve: Serve) -> None:
    pauses: list[float] = []
    Pace(sleep=pauses.append, jitter=lambda: 0.0).pause(1)
    Pace(sleep=pauses.append, jitter=lambda: 1.0).pause(1)
    assert pauses == pytest.approx([0.1, 0.3])


def test_five_times_and_no_more(serve: Serve) -> None:
    cluster = Cluster(serve, [REDIRECT] * 5, [failing(f"[MEM_LIMIT_EXCEEDED]{VALUE}")] * 5)
    text = cluster.fails(transient=True)
    assert "nothing was loaded" in text
    assert "[MEM_LIMIT_EXCEEDED]" in text
    assert cluster.clock.slept == [0.2, 0.4, 0.8, 1.6]
    assert cluster.be.bodies == [ROWS] * 5


def test_too_many_versions_get_more_time(serve: Serve) -> None:
    cluster = Cluster(serve, [REDIRECT] * 3, [failing("[E-235]x"), failing("[E-235]x"), LOADED])
    assert cluster.load() is Outcome.LOADED
    assert cluster.clock.slept == [5.0, 10.0]


def test_a_frontend_that_is_not_there_is_named(serve: Serve) -> None:
    server = serve()
    server.stop()
    clock = Clock()
    text = fails(lambda: loader(server, clock).load(request()), transient=True)
    assert f"http://127.0.0.1:{server.endpoint.port}" in text
    assert "connection refused" in text
    assert len(clock.slept) == 4


def test_no_call_goes_on_for_ever(serve: Serve) -> None:
    """Sends that each take their whole timeout are given up before there have been five."""
    clock = Clock()

    def slow(talk: Talk) -> None:
        clock.now += TIMEOUT
        failing("[NOT_MASTER]")(talk)

    be = serve(*[slow] * 4)
    fe = serve(*[redirect(be)] * 4)
    fails(lambda: loader(fe, clock).load(request()), transient=True)
    assert clock.now < 5 * TIMEOUT
    be.turns.clear()
    fe.turns.clear()


@pytest.mark.parametrize(
    "refusal",
    [
        as_json(msg="Unauthorized", code=401, data=VALUE, count=0),
        as_json(status="FAILED", msg=f"Access denied {VALUE}"),
        as_json(status="FAILED", msg=VALUE),
        http(401, VALUE),
        http(404, VALUE),
        http(200, f"<html>{VALUE}"),
    ],
)
def test_what_lasts_at_the_frontend_is_not_tried_again(serve: Serve, refusal: bytes) -> None:
    cluster = Cluster(serve, [answering(refusal)], [])
    cluster.fails(transient=False)
    assert cluster.clock.slept == []


@pytest.mark.parametrize(
    "message", ["[NOT_AUTHORIZED]x", "[INVALID_ARGUMENT]x", "[EXCEEDED_LIMIT]x", "x", f"[{VALUE}]"]
)
def test_what_lasts_at_a_backend_is_not_tried_again(serve: Serve, message: str) -> None:
    cluster = Cluster(serve, [REDIRECT], [failing(message + VALUE, FirstErrorMsg=VALUE)])
    cluster.fails(transient=False)
    assert cluster.clock.slept == []


def test_a_gateway_that_loads_by_itself_is_refused_with_advice(serve: Serve) -> None:
    text = Cluster(serve, [answering(told("Success", 0))], []).fails(transient=False)
    assert "be_endpoints" in text


def test_a_body_that_cannot_be_read_is_told(serve: Serve) -> None:
    def turn(talk: Talk) -> None:
        talk.read_head()
        talk.say(b"HTTP/1.1 100 Continue\r\n\r\n")
        while not talk.has_gone():
            pass

    be = serve(turn)
    fe = serve(redirect(be))
    short = LoadRequest("dicom_image_meta", LABEL, COLUMNS, Body(io.BytesIO(ROWS), 900, 3, BodyFormat.JSON), False)
    assert "fewer bytes" in fails(lambda: loader(fe, Clock()).load(short), transient=False)


# Where loads go


def test_a_host_that_is_not_of_the_cluster_gets_nothing(serve: Serve) -> None:
    evil = serve(host="127.0.0.2")
    fe = serve(redirect(evil))
    text = fails(lambda: loader(fe, Clock(), list).load(request()), transient=False)
    assert f"127.0.0.2:{evil.endpoint.port}" in text
    assert "be_map" in text
    assert evil.talks == []


def test_a_backend_of_the_cluster_gets_the_load(serve: Serve) -> None:
    be = serve(LOADED, host="127.0.0.2")
    fe = serve(redirect(be))
    assert loader(fe, Clock(), lambda: [be.endpoint]).load(request()) is Outcome.LOADED
    check_wire(fe, be)


def test_a_backend_is_contacted_where_the_map_says(serve: Serve) -> None:
    be = serve(LOADED, host="127.0.0.2")
    fe = serve(redirect(be, host="be-0.internal"))
    be_map = {Endpoint("be-0.internal", be.endpoint.port): be.endpoint}
    assert loader(fe, Clock(), be_map=be_map).load(request()) is Outcome.LOADED
    check_wire(fe, be)


def test_another_name_of_the_frontends_host(serve: Serve) -> None:
    be = serve(LOADED)
    fe = serve(redirect(be, host="localhost"))
    assert loader(fe, Clock()).load(request()) is Outcome.LOADED


def test_ipv6(serve: Serve) -> None:
    try:
        be, fe = serve(LOADED, host="::1"), serve(host="::1")
    except OSError:
        pytest.skip("needs IPv6")
    fe.turns.append(redirect(be, host="[::1]"))
    assert loader(fe, Clock()).load(request()) is Outcome.LOADED
    check_wire(fe, be)


def test_backends_of_the_url_take_turns_and_the_frontend_tells_states(serve: Serve) -> None:
    first, second = serve(losing()), serve(LOADED)
    fe = serve(state("ABORTED"))
    direct = loader(fe, Clock(), be_endpoints=(first.endpoint, second.endpoint))
    assert direct.load(request()) is Outcome.LOADED
    check_wire(first, second, fe)
    assert puts(fe) == []


def test_a_backend_of_the_url_that_says_what_a_frontend_would(serve: Serve) -> None:
    be, fe = serve(answering(as_json(msg="Unauthorized", code=401, data="x", count=0))), serve()
    direct = loader(fe, Clock(), be_endpoints=(be.endpoint,))
    assert "password" in fails(lambda: direct.load(request()), transient=False)


def test_three_redirects_and_no_more(serve: Serve) -> None:
    be = serve(LOADED)
    third = serve(redirect(be))
    second = serve(redirect(third))
    first = serve(redirect(second))
    assert loader(first, Clock()).load(request()) is Outcome.LOADED
    fourth = serve(redirect(be))
    third.turns.append(redirect(fourth))
    second.turns.append(redirect(third))
    first.turns.append(redirect(second))
    assert "more than 3" in fails(lambda: loader(first, Clock()).load(request()), transient=False)
    assert len(be.talks) == 1


def test_a_redirect_that_comes_after_the_body_gets_all_of_it_again(serve: Serve) -> None:
    be = serve(LOADED)

    def late(talk: Talk) -> None:
        talk.read_head()
        talk.read_body()
        talk.say(http(307, Location=f"http://127.0.0.1:{be.endpoint.port}{PATH}"))

    cluster = Cluster(serve, [REDIRECT], [late])
    assert cluster.load() is Outcome.LOADED
    assert be.bodies == [ROWS]


@pytest.mark.parametrize("status", [301, 302, 303, 304, 308])
def test_other_redirects_are_refused(serve: Serve, status: int) -> None:
    be = serve()
    fe = serve(answering(http(status, Location=f"http://127.0.0.1:{be.endpoint.port}{PATH}")))
    assert str(status) in fails(lambda: loader(fe, Clock()).load(request()), transient=False)


@pytest.mark.parametrize("headers", [{}, {"Location": f"http://u:{VALUE}@127.0.0.1/elsewhere"}])
def test_redirects_to_elsewhere_are_refused(serve: Serve, headers: dict[str, str]) -> None:
    fe = serve(answering(http(307, **headers)))
    fails(lambda: loader(fe, Clock()).load(request()), transient=False)


def test_a_question_for_a_state_follows_redirects_too_but_not_to_strangers(serve: Serve) -> None:
    master = serve(state("VISIBLE"))
    path = f"/api/db/get_load_state?label={LABEL}"
    cluster = Cluster(serve, [REDIRECT, redirect(master, path=path)], [losing()])
    assert cluster.load() is Outcome.LOADED
    check_wire(master)
    evil = serve(host="127.0.0.2")
    astray = redirect(evil, path=path)
    cluster = Cluster(serve, [REDIRECT, *[astray] * 5, REDIRECT], [losing(), LOADED], backends=list)
    assert cluster.load() is Outcome.LOADED
    assert evil.talks == []


# TLS


def test_https_throughout_with_a_ca_file(serve: Serve, server_tls: ssl.SSLContext, certificate: Path) -> None:
    be = serve(LOADED, context=server_tls)
    fe = serve(redirect(be, host="localhost", scheme="https"), context=server_tls)
    secure = loader(fe, Clock(), host="localhost", https=True, tls_ca=str(certificate))
    assert secure.load(request()) is Outcome.LOADED
    check_wire(fe, be)


def test_a_frontend_that_wants_https(serve: Serve, server_tls: ssl.SSLContext, certificate: Path) -> None:
    be = serve(LOADED, context=server_tls)
    https = serve(redirect(be, host="localhost", scheme="https"), context=server_tls)
    fe = serve(redirect(https, host="localhost", scheme="https"))
    plain = loader(fe, Clock(), host="localhost", tls_ca=str(certificate))
    assert plain.load(request()) is Outcome.LOADED
    assert https.bodies == []
    assert be.bodies == [ROWS]


def test_https_is_not_left(serve: Serve, server_tls: ssl.SSLContext, certificate: Path) -> None:
    be = serve()
    fe = serve(redirect(be, host="localhost"), context=server_tls)
    secure = loader(fe, Clock(), host="localhost", https=True, tls_ca=str(certificate))
    assert "enable_https" in fails(lambda: secure.load(request()), transient=False)
    assert be.talks == []


def test_a_certificate_that_is_not_trusted_is_not_tried_again(serve: Serve, server_tls: ssl.SSLContext) -> None:
    fe, clock = serve(context=server_tls), Clock()
    secure = loader(fe, clock, host="localhost", https=True)
    assert "tls_ca" in fails(lambda: secure.load(request()), transient=False)
    assert clock.slept == []


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_a_ca_file_that_cannot_be_read(serve: Serve, tmp_path: Path, content: str | None) -> None:
    file = tmp_path / "ca.pem"
    if content:
        file.write_text(content)
    secure = loader(serve(), Clock(), https=True, tls_ca=str(file))
    assert "tls_ca" in fails(lambda: secure.load(request()), transient=False)


# Rows that are refused

LOG = (
    f"Reason: column_name[patient_name], the length of input is too long than schema. first 32 bytes of input str: "
    f"[{VALUE}] schema length: 64; actual length: 70; . src line [{VALUE}]; \n"
    f"Reason: column_name[{VALUE}], the length of input is too long than schema. src line [{VALUE}]; \n"
)


def refused_rows(serve: Serve, log: Server, host: str = "127.0.0.1", **options: Any) -> str:
    url = f"http://{host}:{log.endpoint.port}/api/_load_error_log?file=x"
    be = serve(failing(f"[DATA_QUALITY_ERROR]too many filtered rows {VALUE}", ErrorURL=url, FirstErrorMsg=VALUE))
    fe = serve(redirect(be))
    return fails(lambda: loader(fe, Clock(), list, **options).load(request()), transient=False)


def test_refused_rows_are_told_by_column_and_number(serve: Serve) -> None:
    log = serve(answering(http(200, LOG)))
    text = refused_rows(serve, log)
    assert "[DATA_QUALITY_ERROR]" in text
    assert "2 too long (patient_name)" in text
    assert log.heads[0].startswith("GET /api/_load_error_log?file=x HTTP/1.1\r\n")
    assert "Authorization" not in log.heads[0]


def test_the_log_of_refused_rows_is_read_through_the_map(serve: Serve) -> None:
    log = serve(answering(http(200, LOG)), host="127.0.0.2")
    be_map = {Endpoint("be-0.internal", log.endpoint.port): log.endpoint}
    assert "2 too long" in refused_rows(serve, log, "be-0.internal", be_map=be_map)


def test_the_log_of_refused_rows_is_not_asked_of_strangers(serve: Serve) -> None:
    log = serve(host="127.0.0.2")
    assert "cannot be read" in refused_rows(serve, log, "127.0.0.2")


def test_no_more_than_64_kib_of_the_log_are_read(serve: Serve) -> None:
    line = b"Reason: column(patient_name) values is null. src line []; \n"

    def turn(talk: Talk) -> None:
        talk.read_head()
        try:
            talk.say(http(200, line * 100_000))
        except ConnectionError:
            return

    assert f"{-(-(1 << 16) // len(line))} NULL (patient_name)" in refused_rows(serve, serve(turn))


@pytest.mark.parametrize(
    "turn",
    [answering(http(404, LOG)), answering(http(307, LOG, Location="http://127.0.0.1/")), losing(False)],
    ids=["404", "redirect", "lost"],
)
def test_a_log_that_cannot_be_read_is_said_to_be_so(serve: Serve, turn: Turn) -> None:
    assert "cannot be read" in refused_rows(serve, serve(turn))


def test_backends_that_cannot_be_listed_do_not_hide_that_rows_were_refused(serve: Serve) -> None:
    def unavailable() -> Collection[Endpoint]:
        raise WarehouseUnavailable("no")

    url = "http://127.0.0.2:1/api/_load_error_log?file=x"
    be = serve(failing("[DATA_QUALITY_ERROR]", ErrorURL=url))
    fe = serve(redirect(be))
    assert "[DATA_QUALITY_ERROR]" in fails(lambda: loader(fe, Clock(), unavailable).load(request()), transient=False)


# Asking where a load would go


def test_the_redirects_target_is_told_and_not_contacted(serve: Serve) -> None:
    be = serve()
    fe = serve(redirect(be))
    assert loader(fe, Clock()).redirect_target("dicom_image_meta") == be.endpoint
    assert be.talks == []
    assert fe.talks[0].header("Content-Length") == "0"
    assert fe.talks[0].header("Expect") == "100-continue"
    assert "label" not in fe.heads[0]


def test_the_redirects_target_behind_https(serve: Serve, server_tls: ssl.SSLContext, certificate: Path) -> None:
    be = serve()
    https = serve(redirect(be, host="localhost", scheme="https"), context=server_tls)
    fe = serve(redirect(https, host="localhost", scheme="https"))
    plain = loader(fe, Clock(), host="localhost", tls_ca=str(certificate))
    assert plain.redirect_target("dicom_image_meta") == Endpoint("localhost", be.endpoint.port)


def test_the_redirects_target_is_the_first_backend_of_the_url(serve: Serve) -> None:
    fe = serve()
    assert loader(fe, Clock(), be_endpoints=(Endpoint("be", 1),)).redirect_target("t") == Endpoint("be", 1)


@pytest.mark.parametrize(
    ("turn", "transient", "words"),
    [
        (NO_BACKEND, True, "no backend load available"),
        (losing(False), True, "connection reset"),
        (answering(as_json(msg="Unauthorized", code=401, data="x")), False, "password"),
        (answering(told("Success", 0)), False, "be_endpoints"),
        (answering(http(302, Location="http://x/")), False, "302"),
    ],
)
def test_a_redirects_target_that_is_not_told(serve: Serve, turn: Turn, transient: bool, words: str) -> None:
    fe = serve(turn)
    text = fails(lambda: loader(fe, Clock()).redirect_target("dicom_image_meta"), transient=transient)
    assert words in text


def test_names_are_encoded_in_the_path(serve: Serve) -> None:
    fe = serve(answering(http(404)))
    fails(lambda: loader(fe, Clock()).redirect_target("a/b ?é"), transient=False)
    assert fe.heads[0].startswith("PUT /api/db/a%2Fb%20%3F%C3%A9/_stream_load HTTP/1.1\r\n")


def test_no_password_is_in_what_could_be_shown(serve: Serve) -> None:
    made = loader(serve(), Clock())
    assert "p@ss" not in repr(made) + repr(vars(made))
