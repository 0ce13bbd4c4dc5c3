"""One exchange on the wire: when the body goes out, which answer counts, and that every wait ends."""

import io
import socket
import ssl
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from dicom_pipeline.errors import WarehouseError
from dicom_pipeline.warehouse.doris.exchange import Address, Answer, Limits, NoAnswer, Request, exchange
from dicom_pipeline.warehouse.doris.url import Endpoint
from dicom_pipeline.warehouse.doris.wire import Wire
from dicom_pipeline_tests.warehouse.doris.servers import Server, Talk, answering, http, loading, losing, trickling

Serve = Callable[..., Server]
OK = http(200, "fine")
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
SMALL = b"some rows"
LARGE = bytes(range(256)) * (1 << 15)  # more than sockets buffer
QUICK = Limits(5.0, until_body=0.05)
PATIENT = Limits(5.0, until_body=4.0)


def put(server: Server, body: bytes = SMALL, limits: Limits = PATIENT, **headers: str) -> Answer:
    request = Request("PUT", "/p", {"Expect": "100-continue", **headers}, io.BytesIO(body), len(body))
    return exchange(Address(False, server.endpoint), request, limits)


def get(server: Server, limits: Limits = PATIENT) -> Answer:
    return exchange(Address(False, server.endpoint), Request("GET", "/p", {}), limits)


def no_answer(server: Server, body: bytes = SMALL, limits: Limits = PATIENT) -> NoAnswer:
    with pytest.raises(NoAnswer) as caught:
        put(server, body, limits)
    return caught.value


@pytest.mark.parametrize("body", [SMALL, LARGE], ids=["small", "large"])
def test_the_body_waits_for_100_continue(serve: Serve, body: bytes) -> None:
    silent: list[bool] = []

    def turn(talk: Talk) -> None:
        talk.read_head()
        silent.append(talk.is_silent())
        talk.say(CONTINUE)
        talk.read_body()
        talk.say(OK)

    server = serve(turn)
    assert put(server, body).body == b"fine"
    assert silent == [True]
    assert server.bodies == [body]
    assert server.heads[0].startswith("PUT /p HTTP/1.1\r\n")
    assert server.talks[0].header("Expect") == "100-continue"
    assert server.talks[0].header("Host") == str(server.endpoint)


def test_other_1xx_do_not_ask_for_the_body_and_are_no_answer(serve: Serve) -> None:
    def turn(talk: Talk) -> None:
        talk.read_head()
        talk.say(b"HTTP/1.1 102 Processing\r\nX: y\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\n")
        assert talk.is_silent()
        talk.say(CONTINUE)
        talk.read_body()
        talk.say(b"HTTP/1.1 102 Processing\r\n\r\n" + OK)

    assert put(serve(turn)).body == b"fine"


def test_without_100_continue_the_body_goes_out_after_a_while(serve: Serve) -> None:
    server = serve(loading(OK, before=b""))
    assert put(server, limits=QUICK).status == 200
    assert server.bodies == [SMALL]


def test_other_1xx_do_not_prolong_the_wait_for_100(serve: Serve) -> None:
    def turn(talk: Talk) -> None:
        talk.read_head()
        while talk.is_silent(0.02):
            talk.say(b"HTTP/1.1 102 Processing\r\n\r\n")
        talk.read_body()
        talk.say(OK)

    assert put(serve(turn), limits=QUICK).body == b"fine"


def test_a_100_that_comes_amid_the_body_does_not_end_it(serve: Serve) -> None:
    def turn(talk: Talk) -> None:
        talk.read_head()
        talk.read_body(1000)
        talk.say(CONTINUE)
        talk.read_body()
        talk.say(OK)

    server = serve(turn)
    assert put(server, LARGE, QUICK).body == b"fine"
    assert server.bodies == [LARGE]


def test_an_answer_before_the_body_spares_it_even_if_a_reset_follows(serve: Serve) -> None:
    def turn(talk: Talk) -> None:
        talk.read_head()
        talk.say(http(200, "early"))
        assert talk.has_gone()
        talk.reset()

    server = serve(turn)
    assert put(server, LARGE).body == b"early"
    assert server.bodies == []


def test_an_answer_and_a_reset_before_the_client_looks(serve: Serve) -> None:
    def turn(talk: Talk) -> None:
        talk.read_head()
        talk.say(http(200, "early"))
        talk.reset()

    assert put(serve(turn), LARGE).body == b"early"


@pytest.mark.parametrize("resets", [True, False], ids=["reset", "open and not reading"])
def test_an_answer_amid_the_body_counts(serve: Serve, resets: bool) -> None:
    answered = threading.Event()

    def turn(talk: Talk) -> None:
        talk.read_head()
        talk.say(CONTINUE)
        talk.read_body(1000)
        talk.say(http(200, "enough"))
        if resets:
            talk.reset()
        else:
            assert answered.wait(3)

    assert put(serve(turn), LARGE).body == b"enough"
    answered.set()


def test_an_answer_that_waits_behind_a_reset_counts(serve: Serve) -> None:
    """The body's reader finds the connection broken first, and the answer in what had arrived before."""

    class Slow(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            if self.tell():
                assert has_reset.wait(5)
            return super().read(size)

    has_reset = threading.Event()

    def turn(talk: Talk) -> None:
        talk.read_head()
        talk.say(CONTINUE)
        talk.connection.recv(1)
        talk.say(http(200, "last word"))
        talk.reset()
        has_reset.set()

    server = serve(turn)
    request = Request("PUT", "/p", {}, Slow(LARGE), len(LARGE))
    assert exchange(Address(False, server.endpoint), request, PATIENT).body == b"last word"


def test_an_answer_that_comes_with_the_reset_counts(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether the client has looked for an answer just before it finds the connection broken is a matter of luck."""

    def turn(talk: Talk) -> None:
        talk.read_head()
        talk.say(http(200, "last word"))
        talk.reset()

    monkeypatch.setattr(Wire, "_heard_now", lambda _: False)
    assert put(serve(turn), LARGE, QUICK).body == b"last word"


@pytest.mark.parametrize("read_body", [True, False])
def test_a_connection_lost_after_the_request_began_says_so(serve: Serve, read_body: bool) -> None:
    lost = no_answer(serve(losing(read_body)))
    assert lost.begun
    assert not lost.lasting
    assert lost.reason in ("connection reset by peer", "it closed the connection without an answer")


def test_a_connection_closed_in_order_but_without_an_answer_is_lost(serve: Serve) -> None:
    lost = no_answer(serve(Talk.read_head))
    assert lost.begun
    assert lost.reason == "it closed the connection without an answer"


def test_a_refused_connection_has_begun_nothing(serve: Serve) -> None:
    server = serve()
    server.stop()
    lost = no_answer(server)
    assert (lost.begun, lost.lasting, lost.reason) == (False, False, "connection refused")


def test_an_unknown_host_has_begun_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "x")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(NoAnswer, match="no such host") as caught:
        exchange(Address(False, Endpoint("nowhere", 1)), Request("GET", "/", {}), QUICK)
    assert not caught.value.begun


def test_every_address_of_a_host_is_tried(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    server = serve(answering(OK))
    closed = socket.create_server(("127.0.0.1", 0))
    port = closed.getsockname()[1]
    closed.close()
    found = [
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port)),
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", tuple(server.endpoint)),
    ]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    assert exchange(Address(False, Endpoint("several", 1)), Request("GET", "/", {}), QUICK).body == b"fine"


@pytest.mark.parametrize(
    "turn",
    [
        lambda talk: talk.has_gone() or talk.has_gone(),
        trickling(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 500),
        trickling(b"HTTP/1.1 102 Processing\r\n\r\n" * 50, 0.001),
    ],
    ids=["silence", "a head that trickles", "1xx for ever"],
)
def test_waiting_for_an_answer_ends(serve: Serve, turn: Callable[[Talk], None]) -> None:
    def whole(talk: Talk) -> None:
        turn(talk)
        while not talk.has_gone():
            pass

    started = time.monotonic()
    lost = no_answer(serve(whole), limits=Limits(0.15, until_body=0.02))
    assert lost.reason == "no answer in time"
    assert lost.begun
    assert time.monotonic() - started < 1


def test_sending_to_a_server_that_does_not_read_ends(serve: Serve) -> None:
    def turn(talk: Talk) -> None:
        talk.read_head()
        talk.say(CONTINUE)
        time.sleep(0.3)

    assert no_answer(serve(turn), LARGE, Limits(0.15)).reason == "no answer in time"


def test_1xx_without_a_pause_end_too(serve: Serve) -> None:
    def turn(talk: Talk) -> None:
        talk.read_head()
        try:
            while True:
                talk.say(b"HTTP/1.1 102 Processing\r\n\r\n" * 1000)
        except OSError:
            return

    assert no_answer(serve(turn), limits=Limits(0.2)).reason == "no answer in time"


def test_a_body_that_trickles_is_cut_after_a_while(serve: Serve) -> None:
    server = serve(trickling(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 900, 0.001))
    started = time.monotonic()
    answer = get(server, Limits(5.0, ending=0.1))
    assert answer.status == 200
    assert set(answer.body) <= set(b"x")
    assert time.monotonic() - started < 1


@pytest.mark.parametrize(
    ("said", "heard"),
    [
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n3;a=b\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n", b"abcdefg"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n4\r\nde", b"abcde"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nzz\r\n", b"abc"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-3\r\nabc", b""),
        (b"HTTP/1.0 200 OK\r\n\r\nuntil the end", b"until the end"),
        (b"HTTP/1.1 200 OK\r\ncontent-LENGTH:  3\r\n\r\nabcdef", b"abc"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 30\r\n\r\nabc", b"abc"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\nabc", b""),
        (b"HTTP/1.1 200\nContent-Length: 3\n\nabc", b"abc"),
    ],
    ids=["chunked", "cut", "no chunk", "negative", "no length", "other case", "short", "no number", "bare newlines"],
)
def test_bodies_of_answers(serve: Serve, said: bytes, heard: bytes) -> None:
    def turn(talk: Talk) -> None:
        talk.read_head()
        talk.say(said)

    assert get(serve(turn)).body == heard


def test_a_body_that_ends_in_a_reset_counts(serve: Serve) -> None:
    def turn(talk: Talk) -> None:
        talk.read_head()
        talk.say(b"HTTP/1.1 200 OK\r\n\r\n{}")
        talk.reset()

    assert get(serve(turn)).body == b"{}"


def test_no_more_of_a_body_is_read_than_wanted(serve: Serve) -> None:
    def turn(talk: Talk) -> None:
        talk.read_head()
        talk.say(b"HTTP/1.1 200 OK\r\n\r\n")
        try:
            while True:
                talk.say(b"x" * (1 << 16))
        except OSError:
            return

    started = time.monotonic()
    assert get(serve(turn), Limits(5.0, answer=1000)).body == b"x" * 1000
    assert time.monotonic() - started < 2


def test_the_body_of_a_redirect_is_not_waited_for(serve: Serve) -> None:
    server = serve(answering(b"HTTP/1.1 307 Temporary Redirect\r\nLocation: a: b\r\nLocation: c\r\n\r\n"))
    started = time.monotonic()
    answer = get(server)
    assert (answer.status, answer.headers["location"]) == (307, "a: b")
    assert time.monotonic() - started < 2


@pytest.mark.parametrize(
    "said",
    [
        b"SSH-2.0-OpenSSH\r\n\r\n",
        b"HTTP/1.1 abc\r\n\r\n",
        b"HTTP/1.1 2000 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * (1 << 17) + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * (1 << 15),
        b"x" * (1 << 17),
    ],
    ids=["ssh", "no status", "long status", "long header", "many headers", "no line"],
)
def test_what_is_not_http_is_no_answer(serve: Serve, said: bytes) -> None:
    def turn(talk: Talk) -> None:
        talk.read_head()
        try:
            talk.say(said)
        except ConnectionError:
            return

    lost = no_answer(serve(turn))
    assert lost.reason == "what it says is not HTTP"
    assert lost.begun


def test_proxies_and_netrc_are_ignored(serve: Serve, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1/")
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login somebody password else\n")
    (tmp_path / ".netrc").chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    server = serve(loading(OK))
    assert put(server, Authorization="Basic mine").status == 200
    assert server.talks[0].header("Authorization") == "Basic mine"


def test_ipv6(serve: Serve) -> None:
    try:
        server = serve(loading(OK), host="::1")
    except OSError:
        pytest.skip("needs IPv6")
    assert put(server).status == 200
    assert server.talks[0].header("Host") == f"[::1]:{server.endpoint.port}"


@pytest.mark.parametrize("headers", [{"columns": "a\r\nX: y"}, {"a\n": "b"}, {"label": "\0"}, {"columns": "\x7f"}])
def test_headers_cannot_be_smuggled(serve: Serve, headers: dict[str, str]) -> None:
    with pytest.raises(WarehouseError, match="cannot be sent") as caught:
        put(serve(), **headers)
    assert "X: y" not in str(caught.value)


@pytest.mark.parametrize("path", ["/a b", "/a\r\nb"])
def test_paths_cannot_be_smuggled(serve: Serve, path: str) -> None:
    with pytest.raises(WarehouseError, match="cannot be sent"):
        exchange(Address(False, serve().endpoint), Request("GET", path, {}), PATIENT)


def test_names_beyond_ascii_are_sent_as_utf_8(serve: Serve) -> None:
    server = serve(loading(OK))
    put(server, columns="`größe`")
    assert server.talks[0].header("columns") == "`größe`"


class Broken(io.BytesIO):
    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self.error = error

    def read(self, size: int | None = -1) -> bytes:
        raise self.error


def refusing(talk: Talk) -> None:
    talk.read_head()
    talk.say(CONTINUE)
    assert talk.has_gone()


@pytest.mark.parametrize(
    ("body", "words"),
    [(Broken(OSError(5, "no")), "cannot be read: input/output error"), (io.BytesIO(b"abc"), "fewer bytes")],
)
def test_a_body_that_cannot_be_read_is_not_the_servers_fault(serve: Serve, body: io.BytesIO, words: str) -> None:
    def turn(talk: Talk) -> None:
        talk.read_head()
        talk.say(CONTINUE)
        while not talk.has_gone():
            pass

    server = serve(turn)
    with pytest.raises(WarehouseError, match=words):
        exchange(Address(False, server.endpoint), Request("PUT", "/p", {}, body, 9), PATIENT)


def test_no_more_is_sent_than_announced(serve: Serve) -> None:
    server = serve(loading(OK))
    request = Request("PUT", "/p", {}, io.BytesIO(b"123456789"), 5)
    exchange(Address(False, server.endpoint), request, PATIENT)
    assert server.bodies == [b"12345"]


def test_ctrl_c_closes_the_connection(serve: Serve) -> None:
    server = serve(refusing)
    request = Request("PUT", "/p", {}, Broken(KeyboardInterrupt()), 9)
    with pytest.raises(KeyboardInterrupt) as caught:
        exchange(Address(False, server.endpoint), request, PATIENT)
    # The traceback keeps every object alive: only closing can end the connection.
    server.stop()
    assert server.failures == []
    assert caught.value.__traceback__


@pytest.mark.parametrize("body", [SMALL, LARGE], ids=["small", "large"])
def test_tls(serve: Serve, server_tls: ssl.SSLContext, trust: ssl.SSLContext, body: bytes) -> None:
    server = serve(loading(OK), context=server_tls)
    address = Address(True, Endpoint("localhost", server.endpoint.port))
    request = Request("PUT", "/p", {}, io.BytesIO(body), len(body))
    assert exchange(address, request, PATIENT, trust).body == b"fine"
    assert server.bodies == [body]


def test_an_answer_amid_the_body_counts_over_tls_too(
    serve: Serve, server_tls: ssl.SSLContext, trust: ssl.SSLContext
) -> None:
    def turn(talk: Talk) -> None:
        talk.read_head()
        talk.say(CONTINUE)
        talk.read_body(1000)
        talk.say(http(200, "enough"))
        time.sleep(0.1)

    server = serve(turn, context=server_tls)
    address = Address(True, Endpoint("localhost", server.endpoint.port))
    request = Request("PUT", "/p", {}, io.BytesIO(LARGE), len(LARGE))
    assert exchange(address, request, PATIENT, trust).body == b"enough"


def test_a_certificate_that_is_not_trusted_lasts(serve: Serve, server_tls: ssl.SSLContext) -> None:
    server = serve(context=server_tls)
    with pytest.raises(NoAnswer, match=r"not trusted .* tls_ca") as caught:
        exchange(
            Address(True, Endpoint("localhost", server.endpoint.port)),
            Request("GET", "/", {}),
            PATIENT,
            ssl.create_default_context(),
        )
    assert caught.value.lasting
    assert not caught.value.begun


def test_a_certificate_for_another_host_is_not_trusted(
    serve: Serve, server_tls: ssl.SSLContext, trust: ssl.SSLContext
) -> None:
    server = serve(context=server_tls)
    with pytest.raises(NoAnswer, match="not trusted"):
        exchange(Address(True, server.endpoint), Request("GET", "/", {}), PATIENT, trust)


def test_https_to_a_server_without_it_lasts(serve: Serve, trust: ssl.SSLContext) -> None:
    def turn(talk: Talk) -> None:
        talk.connection.recv(1)
        talk.say(http(400))

    server = serve(turn)
    with pytest.raises(NoAnswer, match="does not speak https") as caught:
        exchange(Address(True, Endpoint("localhost", server.endpoint.port)), Request("GET", "/", {}), PATIENT, trust)
    assert caught.value.lasting


def test_a_handshake_that_never_ends_ends(serve: Serve, trust: ssl.SSLContext) -> None:
    def turn(talk: Talk) -> None:
        while not talk.has_gone():
            pass

    server = serve(turn)
    address = Address(True, Endpoint("localhost", server.endpoint.port))
    with pytest.raises(NoAnswer, match="no answer in time") as caught:
        exchange(address, Request("GET", "/", {}), Limits(0.1), trust)
    assert not caught.value.lasting


def test_nothing_secret_is_in_the_representation() -> None:
    request = Request("PUT", "/p", {"Authorization": "Basic secret"}, io.BytesIO(b"rows"), 4)
    assert "secret" not in repr(request)
    assert "pass" not in repr(Answer(307, {"location": "http://u:pass@h/"}, b"pass"))
