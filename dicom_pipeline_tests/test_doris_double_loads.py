"""The double of Apache Doris, its HTTP side: each behaviour over plain sockets, nothing of the loader's between."""

import datetime as dt
import re
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pytest

from dicom_pipeline_tests.doris_double import Account, Action, DorisDouble, Fault, Place, Privilege
from dicom_pipeline_tests.doris_double.raw_client import RawClient, basic, exchange, json_lines, parquet
from dicom_pipeline_tests.doris_double.tls import openssl_is_here

DAY = dt.date(2024, 1, 15)
COLUMNS = "`tenant`,`day`,`id`,`name`,`size`,`weight`,`seen`"
TABLE = """CREATE TABLE t (
    `tenant` VARCHAR(8) NOT NULL, `day` DATE NOT NULL, `id` BIGINT NOT NULL,
    `name` VARCHAR(8) NULL, `size` INT NULL, `weight` DOUBLE NULL, `seen` DATETIME(6) NULL
) UNIQUE KEY(`tenant`, `day`, `id`) PARTITION BY RANGE(`day`) (
    PARTITION p202401 VALUES [("2024-01-01"), ("2024-02-01")), PARTITION p202402 VALUES [("2024-02-01"), ("2024-03-01"))
) DISTRIBUTED BY HASH(`id`) BUCKETS 1 PROPERTIES ("replication_num" = "1"{properties})"""
BIG = json_lines({"tenant": "a", "day": "2024-01-15", "id": 1, "name": "x"}) * 40_000
PARQUET = {"format": "parquet", "read_json_by_line": None}


@pytest.fixture
def double() -> Iterator[DorisDouble]:
    with DorisDouble() as started:
        started.query("CREATE DATABASE dicom")
        started.query(TABLE.format(properties=""))
        yield started


@pytest.fixture
def client(double: DorisDouble) -> RawClient:
    return RawClient(double)


def row(number: int = 1, **others: Any) -> dict[str, Any]:
    return {"tenant": "a", "day": "2024-01-15", "id": number, **others}


def columns(count: int = 1, **others: Any) -> dict[str, Any]:
    usual = {"tenant": ["a"] * count, "day": [DAY] * count, "id": list(range(1, count + 1))}
    return usual | {name: pa.array(values) for name, values in others.items()}


def ids(double: DorisDouble) -> list[int]:
    return [found["id"] for found in double.rows("t")]


# 1, 2: the frontend


def test_the_frontend_sends_to_a_backend_of_another_name_with_the_password_in_the_location(
    double: DorisDouble, client: RawClient
) -> None:
    answer = client.ask_fe()
    place = f"localhost:{double.be_ports[0]}/api/dicom/t/_stream_load?"
    assert (answer.status, answer.headers["location"]) == (307, f"http://root:s3cret%40:%2F%25@{place}")
    (request,) = double.requests.all("fe")
    assert (request.method, request.host, request.http_status) == ("PUT", f"127.0.0.1:{double.http_port}", 307)


def test_the_frontend_reads_no_body(double: DorisDouble) -> None:
    headers = RawClient(double).headers(label="l")
    assert exchange(double.http_port, "PUT", "/api/dicom/t/_stream_load", headers, BIG * 8, wait=False).reset
    assert [request.body_bytes for request in double.requests.all("fe")] == [0]
    assert RawClient(double).state("l") == "UNKNOWN"


def test_backends_are_named_in_turn() -> None:
    with DorisDouble(backends=2) as double:
        locations = [RawClient(double).ask_fe().headers["location"] for _ in range(4)]
        ports = [int(re.findall(r":(\d+)/", location)[0]) for location in locations]
        assert ports == double.be_ports * 2


def test_without_expect_the_frontend_refuses_and_a_backend_does_not(client: RawClient) -> None:
    told = client.ask_fe(Expect=None)
    assert (told.status, told.json) == (200, {"status": "FAILED", "msg": "There is no 100-continue header"})
    assert client.load_rows(row(), Expect=None)["Status"] == "Success"


@pytest.mark.parametrize("user", ["root:wrong", "root:", "nobody:x"])
def test_a_wrong_password_is_told_with_status_200(double: DorisDouble, client: RawClient, user: str) -> None:
    wrong = basic(*user.split(":"))
    for answer in (client.ask_fe(Authorization=wrong), client.ask_fe(Authorization=None)):
        assert answer.status == 200
        assert (answer.json["msg"], answer.json["code"]) == ("Unauthorized", 401)
    told = client.load(b"", Authorization=wrong).json
    assert (told["Status"], told["Message"][:16]) == ("Fail", "[NOT_AUTHORIZED]")
    assert "no valid Basic authorization" in client.load(b"", Authorization=None).json["Message"]
    assert client.ask_fe("/api/dicom/get_load_state?label=l", "GET", Authorization=wrong).json["code"] == 401


def test_who_may_not_load_is_told_by_both(double: DorisDouble, client: RawClient) -> None:
    double.cluster.accounts.add(Account("reader", "r", frozenset({Privilege.SELECT})))
    reader = basic("reader", "r")
    assert client.ask_fe(Authorization=reader).json["status"] == "FAILED"
    assert "LOAD" in client.load(b"", Authorization=reader).json["Message"]


def test_transient_refusals_of_the_frontend_end(double: DorisDouble, client: RawClient) -> None:
    double.faults.add(Fault(Place.FE, Action.NO_BACKEND, times=2))
    told = [client.ask_fe() for _ in range(3)]
    assert [answer.status for answer in told] == [200, 200, 307]
    assert told[0].json["msg"].startswith("No backend load available")
    assert "group_commit" in client.ask_fe(group_commit="maybe").json["msg"]


# 3: early answers


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"label": "taken"}, "Label Already Exists"),
        ({"columns": "tenant,day,id,nothing"}, "Fail"),
        ({"format": "xml"}, "Fail"),
        ({"format": "parquet", "merge_type": "MERGE"}, "Fail"),
        ({"partitions": "nothing"}, "Fail"),
    ],
)
def test_what_headers_show_is_answered_before_the_body(
    double: DorisDouble, client: RawClient, headers: dict[str, str], status: str
) -> None:
    client.load_rows(row(), label="taken")
    answer = client.load(BIG, **headers)
    assert (answer.status, answer.json["Status"], answer.sent_body) == (200, status, False)
    assert double.requests.loads()[-1].body_bytes == 0


def test_who_sends_the_body_all_the_same_meets_a_reset(double: DorisDouble, client: RawClient) -> None:
    headers = client.headers(format="xml")
    assert exchange(double.be_ports[0], "PUT", "/api/dicom/t/_stream_load", headers, BIG * 8, wait=False).reset
    assert double.requests.loads()[-1].body_bytes == 0


# 4: labels


@pytest.mark.parametrize("label", ["a" * 129, "a/b", "a b", "é", "a.b"])
def test_labels_that_are_none(client: RawClient, label: str) -> None:
    assert "Incorrect label name" in client.load_rows(row(), label=label)["Message"]


def test_a_label_is_taken_once_and_free_after_a_failure(double: DorisDouble, client: RawClient) -> None:
    assert client.state("l") == "UNKNOWN"
    assert client.load_rows(row(1, size="x"), label="l")["Status"] == "Fail"
    assert client.state("l") == "ABORTED"
    assert client.load_rows(row(1), label="l")["Status"] == "Success"
    assert client.state("l") == "VISIBLE"
    told = client.load_rows(row(2), label="l")
    assert (told["Status"], told["ExistingJobStatus"]) == ("Label Already Exists", "FINISHED")
    assert (told["NumberTotalRows"], told["NumberLoadedRows"], told["TxnId"]) == (0, 0, -1)
    assert ids(double) == [1]
    double.query("CREATE DATABASE other")
    assert client.ask_fe("/api/other/get_load_state?label=l", "GET").json["data"] == "UNKNOWN"
    assert client.ask_fe("/api/nothing/get_load_state?label=l", "GET").json["code"] != 0


def test_a_label_is_forgotten_after_a_while(double: DorisDouble, client: RawClient) -> None:
    client.load_rows(row(1), label="l")
    double.clock.move(double.transactions.retention - 10)
    assert client.state("l") == "VISIBLE"
    double.clock.move(20)
    assert client.state("l") == "UNKNOWN"
    assert client.load_rows(row(2), label="l")["Status"] == "Success"


def test_a_running_load_holds_its_label_until_its_time_is_over(double: DorisDouble, client: RawClient) -> None:
    double.faults.add(Fault(Place.BE_BEFORE_COMMIT, Action.DELAY, seconds=0.3))
    slow = threading.Thread(target=client.load_rows, args=(row(1),), kwargs={"label": "l", "timeout": "60"})
    slow.start()
    while client.state("l") == "UNKNOWN":
        time.sleep(0.005)
    assert client.state("l") == "PREPARE"
    told = client.load_rows(row(1), label="l")
    assert (told["Status"], told["ExistingJobStatus"]) == ("Label Already Exists", "RUNNING")
    double.clock.move(61)
    assert client.state("l") == "ABORTED"
    slow.join()
    assert ids(double) == []


# 5: connections that end


def test_a_connection_lost_before_the_headers_begins_nothing(double: DorisDouble, client: RawClient) -> None:
    double.faults.add(Fault(Place.BE_BEFORE_HEADERS))
    assert client.load(json_lines(row()), label="l").status == 0
    assert client.state("l") == "UNKNOWN"


@pytest.mark.parametrize("polls", [0, 2])
def test_a_connection_lost_within_the_body_rolls_back(double: DorisDouble, client: RawClient, polls: int) -> None:
    double.faults.add(Fault(Place.BE_MID_BODY, polls=polls))
    answer = client.load(BIG * 8, label="l")
    assert (answer.sent_body, answer.reset, answer.status) == (True, True, 0)
    assert 0 < double.requests.loads()[-1].body_bytes < len(BIG) * 8
    assert [client.state("l") for _ in range(polls + 1)] == ["PREPARE"] * polls + ["ABORTED"]
    assert ids(double) == []
    assert client.load_rows(row(), label="l")["Status"] == "Success"


def test_a_client_that_leaves_within_the_body_is_rolled_back(double: DorisDouble, client: RawClient) -> None:
    headers = client.headers(label="l", **{"Content-Length": "100000"})
    with socket.create_connection(("127.0.0.1", double.be_ports[0]), 5) as raw:
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        raw.sendall(f"PUT /api/dicom/t/_stream_load HTTP/1.1\r\n{head}\r\n".encode())
        assert raw.recv(100).startswith(b"HTTP/1.1 100 ")
        assert client.state("l") == "PREPARE"
    while (state := client.state("l")) == "PREPARE":
        time.sleep(0.005)
    assert state == "ABORTED"


def test_a_connection_lost_after_the_commit_has_loaded(double: DorisDouble, client: RawClient) -> None:
    double.faults.add(Fault(Place.BE_AFTER_COMMIT))
    assert client.load(json_lines(row(1)), label="l").status == 0
    assert client.state("l") == "VISIBLE"
    assert ids(double) == [1]
    assert client.load_rows(row(1), label="l")["ExistingJobStatus"] == "FINISHED"


def test_a_backend_that_restarts_rolls_back_what_it_was_at(double: DorisDouble, client: RawClient) -> None:
    double.faults.add(Fault(Place.BE_BEFORE_COMMIT, Action.DELAY, seconds=5))
    port = double.be_ports[0]
    answers: list[int] = []
    slow = threading.Thread(target=lambda: answers.append(client.load(json_lines(row(1)), label="l").status))
    slow.start()
    while client.state("l") == "UNKNOWN":
        time.sleep(0.005)
    double.restart_be()
    slow.join()
    assert answers == [0]
    assert client.state("l") == "ABORTED"
    assert double.be_ports == [port]
    assert client.load_rows(row(1), label="l")["Status"] == "Success"


# 6, 7: answers that say something else


def test_a_late_publication_is_committed_and_not_visible(double: DorisDouble, client: RawClient) -> None:
    double.knobs.publish_polls.append(2)
    told = client.load_rows(row(1), label="l")
    assert (told["Status"], told["NumberLoadedRows"]) == ("Publish Timeout", 1)
    assert client.load_rows(row(1), label="l")["ExistingJobStatus"] == "FINISHED"
    assert [client.state("l") for _ in range(2)] == ["COMMITTED"] * 2
    assert double.query("SELECT count(*) FROM t") == [(0,)]
    assert client.state("l") == "VISIBLE"
    assert double.query("SELECT count(*) FROM t") == [(1,)]


def test_a_failure_has_status_200_and_names_its_rows_elsewhere(double: DorisDouble, client: RawClient) -> None:
    answer = client.load(json_lines(row(1), row(2, name="x" * 9)))
    told = answer.json
    assert (answer.status, told["Status"], told["NumberLoadedRows"]) == (200, "Fail", 0)
    assert told["Message"] == "[DATA_QUALITY_ERROR]too many filtered rows"
    assert told["ErrorURL"].startswith(f"http://localhost:{double.be_ports[0]}/api/_load_error_log?file=")
    path = "/" + told["ErrorURL"].split("/", 3)[3]
    log = exchange(double.be_ports[0], "GET", path, {}).body.decode()
    assert "xxxxxxxxx" in log
    assert log.startswith("Reason: column_name[name], the length of input")
    assert ids(double) == []


def test_a_proxy_answers_html_and_an_answer_may_be_cut(double: DorisDouble, client: RawClient) -> None:
    for place in (Place.FE, Place.BE_BEFORE_HEADERS, Place.BE_AFTER_HEADERS):
        double.faults.add(Fault(place, Action.HTML_502))
    assert client.ask_fe().status == 502
    for _ in range(2):
        answer = client.load(json_lines(row()), label="l")
        assert (answer.status, answer.body[:6], answer.sent_body) == (502, b"<html>", False)
    double.faults.add(Fault(Place.BE_AFTER_COMMIT, Action.TRUNCATE))
    answer = client.load(json_lines(row()), label="l")
    with pytest.raises(ValueError, match=r"Expecting|Unterminated"):
        _ = answer.json
    assert client.state("l") == "VISIBLE"
    double.faults.add(Fault(Place.FE_STATE, Action.ANSWER, answer=b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n"))
    assert client.ask_fe("/api/dicom/get_load_state?label=l", "GET").status == 500


# 8, 9: rows that are not taken


def test_strict_mode_decides_between_null_and_no_row(double: DorisDouble, client: RawClient) -> None:
    bad = row(1, size="x"), row(2, weight="x"), row(3, seen="2024-13-01"), row(4, size=2**31), row(5, size=1.5)
    told = client.load_rows(*bad, row(6, size=None), strict_mode="false")
    assert (told["Status"], told["NumberLoadedRows"], told["NumberFilteredRows"]) == ("Success", 6, 0)
    assert {found["size"] for found in double.rows("t")} == {None}
    told = client.load_rows(*bad, row(6, size=7), max_filter_ratio="0.9")
    assert (told["NumberTotalRows"], told["NumberLoadedRows"], told["NumberFilteredRows"]) == (6, 1, 5)
    assert "value is incorrect while strict mode is true" in told["FirstErrorMsg"]
    assert "Must be bool" in client.load_rows(row(), strict_mode="yes")["Message"]


@pytest.mark.parametrize("strict", ["true", "false"])
def test_null_and_too_long_are_filtered_in_either_mode(client: RawClient, strict: str) -> None:
    rows = row(1, tenant=None), row(2, day="no date"), row(3, name="éééé"), row(4, name="ééééé"), row(5)
    told = client.load_rows(*rows, strict_mode=strict, max_filter_ratio="1")
    assert (told["NumberLoadedRows"], told["NumberFilteredRows"]) == (2, 3)


def test_lengths_are_bytes_and_the_message_says_so(client: RawClient) -> None:
    assert client.load_rows(row(1, name="漢字 x"))["Status"] == "Success"
    told = client.load_rows(row(1, name="漢字漢"))
    assert told["FirstErrorMsg"] == (
        "column_name[name], the length of input is too long than schema. "
        "first 32 bytes of input str: [漢字漢] schema length: 8; actual length: 9; "
    )


@pytest.mark.parametrize(
    ("ratio", "bad", "status"), [("0", 1, "Fail"), ("0.25", 1, "Success"), ("0.24", 1, "Fail"), ("1", 4, "Success")]
)
def test_the_ratio_of_filtered_rows(client: RawClient, ratio: str, bad: int, status: str) -> None:
    rows = [row(number, size="x" if number <= bad else 1) for number in range(1, 5)]
    told = client.load_rows(*rows, max_filter_ratio=ratio)
    assert (told["Status"], told["NumberFilteredRows"]) == (status, bad)
    assert told["NumberLoadedRows"] == (4 - bad if status == "Success" else 0)
    assert "ErrorURL" in told


def test_dates_and_moments_are_converted(double: DorisDouble, client: RawClient) -> None:
    client.load_rows(
        row(1, seen="2024-01-01 10:00:00.5"),
        row(2, seen="2024-01-01T10:00:00+02:00"),
        row(3, day="2024-01-15 23:59:59", seen="2024-01-01"),
        row(4, day="20240115", size="7", weight="1e3"),
    )
    seen = [found["seen"] for found in double.rows("t")]
    assert [str(moment) for moment in seen] == [
        "2024-01-01 10:00:00.500000",
        "2024-01-01 08:00:00",
        "2024-01-01 00:00:00",
        "None",
    ]
    assert double.rows("t")[3] == {**row(4), "day": DAY, "name": None, "size": 7, "weight": 1000.0, "seen": None}


# 10: columns


def test_columns_are_matched_by_name(double: DorisDouble, client: RawClient) -> None:
    assert client.load_rows(row(1, name="x"), columns="id,`day`,tenant")["Status"] == "Success"
    assert double.rows("t")[0]["name"] is None
    assert "Unknown column 'other'" in client.load_rows(row(1), columns="tenant,day,id,other")["Message"]
    assert "no default value, column=id" in client.load_rows(row(1), columns="tenant,day")["Message"]
    assert "failed to parse" in client.load_rows(row(1), columns="tenant,day,id,rows")["Message"]
    assert "Duplicate column" in client.load_rows(row(1), columns="tenant,day,id,ID")["Message"]
    missing = client.load_rows({"tenant": "a", "day": "2024-01-15", "ID": 2}, columns="tenant,day,id")
    assert "null value for not null column" in missing["FirstErrorMsg"]
    upper = parquet({"tenant": ["a"], "day": [DAY], "ID": [1]})
    assert "null value" in client.load(upper, columns="tenant,day,id", **PARQUET).json["FirstErrorMsg"]
    assert client.load_rows(row(1), table="nothing")["Status"] == "Fail"


def test_a_header_a_backend_would_ignore_is_refused(client: RawClient) -> None:
    assert (
        "does not know the headers ['max_filter_ration']" in client.load_rows(row(), max_filter_ration="1")["Message"]
    )


# 11: bodies


def test_parquet_is_taken_as_it_is_typed(double: DorisDouble, client: RawClient) -> None:
    zoned = dt.datetime(2024, 1, 1, 10, tzinfo=dt.UTC)
    naive = zoned.replace(tzinfo=None)
    body = parquet(columns(1, seen=[naive], name=["é"], size=pa.array([1], pa.int32()), weight=[0.1]))
    told = client.load(body, **PARQUET, columns=COLUMNS).json
    assert (told["Status"], told["LoadBytes"]) == ("Success", len(body))
    expected = {**row(1), "day": DAY, "name": "é", "size": 1, "weight": 0.1, "seen": naive}
    assert double.rows("t") == [expected]
    client.load(parquet(columns(1, seen=[zoned])), **PARQUET, timezone="+08:00")
    assert double.rows("t")[0]["seen"] == naive + dt.timedelta(hours=8)
    client.load(parquet(columns(1, seen=[zoned])), **PARQUET, timezone=None)
    assert double.rows("t")[0]["seen"] == naive + dt.timedelta(hours=8)


@pytest.mark.parametrize(
    "values",
    [
        {"name": pa.nulls(1)},
        {"seen": [dt.time(1)]},
        {"name": [["x"]]},
        {"size": [DAY]},
        {"size": [True]},
    ],
)
def test_parquet_types_that_are_not_taken(client: RawClient, values: dict[str, Any]) -> None:
    told = client.load(parquet(columns(1, **values)), **PARQUET).json
    assert told["Status"] == "Fail"
    assert "ot support" in told["Message"]


def test_a_body_that_is_not_what_it_says(client: RawClient) -> None:
    assert client.load(b"PAR1 not really", **PARQUET).json["Status"] == "Fail"
    assert "arrow" in client.load(b"", format="arrow").json["Message"]
    told = client.load(b'{"tenant": NaN}\n' + json_lines(row(1)) + b"{\n\n", max_filter_ratio="1").json
    assert (told["NumberTotalRows"], told["NumberLoadedRows"], told["NumberFilteredRows"]) == (3, 1, 2)


def test_json_is_by_line_or_an_array_as_the_headers_say(double: DorisDouble, client: RawClient) -> None:
    array = b"[" + json_lines(row(1)) + b"," + json_lines(row(2)) + b"]"
    assert client.load(array, read_json_by_line=None, strip_outer_array="true").json["NumberLoadedRows"] == 2
    assert "must be TRUE" in client.load(array.replace(b"\n", b"")).json["FirstErrorMsg"]
    lines = json_lines(row(1), row(2))
    one = client.load(json_lines(row(1)), read_json_by_line=None, strip_outer_array="true").json
    assert "must be FALSE" in one["Message"]
    assert client.load(lines, read_json_by_line=None).json["Status"] == "Fail"
    double.knobs.json_by_line_default = True
    assert client.load(lines, read_json_by_line=None).json["NumberLoadedRows"] == 2
    big = row(3, weight=0.1, name=12)
    assert client.load_rows(big, num_as_string="true")["NumberLoadedRows"] == 1
    assert double.rows("t")[-1]["name"] == "12"


def test_the_length_of_a_body_is_said_exactly_once(double: DorisDouble, client: RawClient) -> None:
    body = json_lines(row(1))
    chunked = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
    both = client.load(chunked, **{"Transfer-Encoding": "chunked"})
    assert "exactly one" in both.json["Message"]
    headers: dict[str, Any] = client.headers(**{"Transfer-Encoding": "chunked"})
    headers["Content-Length"] = None
    told = exchange(double.be_ports[0], "PUT", "/api/dicom/t/_stream_load", headers, chunked)
    assert told.json["NumberLoadedRows"] == 1


# 12: keys, tombstones


def test_of_rows_with_one_key_the_last_wins(double: DorisDouble, client: RawClient) -> None:
    told = client.load_rows(row(1, name="x"), row(1, name="y"), row(2))
    assert told["NumberLoadedRows"] == 3
    client.load_rows(row(2, name="z"))
    assert [found["name"] for found in double.rows("t")] == ["y", "z"]


def test_a_sequence_column_decides_which_row_wins(double: DorisDouble, client: RawClient) -> None:
    double.query("DROP TABLE t")
    double.query(TABLE.format(properties=', "function_column.sequence_col" = "size"'))
    client.load_rows(row(1, size=5, name="x"), row(1, size=4, name="y"))
    client.load_rows(row(1, size=3, name="z"))
    assert double.rows("t")[0]["name"] == "x"
    client.load_rows(row(1, size=5, name="w"))
    assert double.rows("t")[0]["name"] == "w"


def test_merge_puts_and_takes_away_in_one_step(double: DorisDouble, client: RawClient) -> None:
    client.load_rows(row(1), row(2), row(3))
    body = parquet(columns(4, name=["x"] * 4, _del=pa.array([0, 1, 0, 1], pa.int8())))
    headers = PARQUET | {"merge_type": "MERGE", "delete": "_del=1", "columns": "tenant,day,id,name,_del"}
    told = client.load(body, **headers).json
    assert (told["Status"], told["NumberLoadedRows"]) == ("Success", 4)
    assert [(found["id"], found["name"]) for found in double.rows("t")] == [(1, "x"), (3, "x")]
    lines = client.load_rows(row(3, _del=1), merge_type="merge", delete="_del=1", columns="tenant,day,id,_del")
    assert lines["Status"] == "Success"
    assert ids(double) == [1]
    tombstone = client.load_rows(
        {"tenant": "a", "id": 1, "_del": 1}, merge_type="MERGE", delete="_del=1", columns="tenant,day,id,_del"
    )
    assert tombstone["Status"] == "Fail"
    client.load_rows(row(1), merge_type="DELETE")
    assert ids(double) == []


@pytest.mark.parametrize(
    ("headers", "message"),
    [
        ({"delete": "_del=1"}, "not support delete when merge type is APPEND"),
        ({"merge_type": "MERGE"}, "Excepted DELETE ON"),
        ({"merge_type": "UPSERT"}, "Invalid merge type"),
        ({"merge_type": "MERGE", "delete": "_del=1"}, "has no column _del"),
        ({"merge_type": "MERGE", "delete": "_del=1", "columns": "tenant,day,id"}, "Unknown column '_del'"),
        ({"merge_type": "MERGE", "delete": "_del is 1", "columns": "tenant,day,id,_del"}, "delete conditions"),
    ],
)
def test_merges_that_are_none(client: RawClient, headers: dict[str, str], message: str) -> None:
    assert message in client.load_rows(row(1), **headers)["Message"]


def test_a_boolean_flag_is_refused(client: RawClient) -> None:
    headers = PARQUET | {"merge_type": "MERGE", "delete": "_del=1", "columns": "tenant,day,id,_del"}
    assert "boolean" in client.load(parquet(columns(1, _del=[True])), **headers).json["Message"]


# 13: partitions


def test_rows_without_a_partition_are_filtered(double: DorisDouble, client: RawClient) -> None:
    told = client.load_rows(row(1), row(2, day="2024-03-01"), max_filter_ratio="0.5")
    assert (told["NumberLoadedRows"], told["FirstErrorMsg"][:27]) == (1, "no partition for this tuple")
    assert client.load_rows(row(1), partitions="p202402")["NumberFilteredRows"] == 1
    assert client.load_rows(row(1), partitions="p202401, p202402")["NumberLoadedRows"] == 1
    assert "Unknown partition" in client.load_rows(row(1), partitions="p")["Message"]
    assert "Unknown partition" in client.load_rows(row(1), temporary_partitions="p202401")["Message"]
    both = client.load_rows(row(1), partitions="p202401", temporary_partitions="tp")
    assert "both partitions and temporary partitions" in both["Message"]


# Two-phase commit


@pytest.mark.parametrize("by", ["label", "txn_id"])
def test_two_phase_commit(double: DorisDouble, client: RawClient, by: str) -> None:
    told = client.load_rows(row(1), label="l", two_phase_commit="true")
    assert (told["Status"], told["TwoPhaseCommit"]) == ("Success", "true")
    assert (client.state("l"), ids(double)) == ("PRECOMMITTED", [])
    assert client.load_rows(row(1), label="l")["ExistingJobStatus"] == "PRECOMMITTED"
    named = {"label": "l"} if by == "label" else {"txn_id": str(told["TxnId"])}
    assert client.ask_fe("/api/dicom/_stream_load_2pc", txn_operation="commit", **named).status == 307
    done = client.two_phase(txn_operation="commit", **named)
    assert done == {"status": "Success", "msg": f"transaction [{told['TxnId']}] commit successfully."}
    assert (client.state("l"), ids(double)) == ("VISIBLE", [1])
    assert "already visible" in client.two_phase(txn_operation="commit", **named)["msg"]
    client.load_rows(row(2), label="m", two_phase_commit="true")
    assert client.two_phase(txn_operation="abort", label="m")["status"] == "Success"
    assert (client.state("m"), ids(double)) == ("ABORTED", [1])
    assert "not found" in client.two_phase(txn_operation="abort", label="nothing")["msg"]
    double.knobs.two_phase_by_label = False
    assert "transaction id" in client.two_phase(txn_operation="abort", label="m")["msg"]


# 17: limits


def test_limits(double: DorisDouble, client: RawClient) -> None:
    double.knobs.max_json_bytes = 10
    array = {"read_json_by_line": None, "strip_outer_array": "true"}
    assert "exceed the max size [10] of json" in client.load(json_lines(row(1)), **array).json["Message"]
    assert client.load_rows(row(1))["Status"] == "Success"
    double.knobs.max_body_bytes = 10
    assert "body exceed max size: 10" in client.load_rows(row(1))["Message"]
    double.knobs.max_body_bytes = 1 << 20
    double.transactions.running_limit = 1
    client.load_rows(row(1), label="held", two_phase_commit="true")
    assert "larger than limit 1" in client.load_rows(row(1))["Message"]
    client.two_phase(txn_operation="abort", label="held")
    assert client.load_rows(row(1))["Status"] == "Success"
    assert "Invalid timeout" in client.load_rows(row(1), timeout="0")["Message"]
    assert "time zone" in client.load_rows(row(1), timezone="Nowhere/At_All")["Message"]


def test_a_body_that_does_not_come_in_time_is_rolled_back(double: DorisDouble, client: RawClient) -> None:
    with socket.create_connection(("127.0.0.1", double.be_ports[0]), 5) as raw:
        headers = client.headers(label="l", timeout="1", **{"Content-Length": "10"})
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        raw.sendall(f"PUT /api/dicom/t/_stream_load HTTP/1.1\r\n{head}\r\n".encode())
        while raw.recv(1000):
            pass
    assert client.state("l") == "ABORTED"


# 18: group commit


def test_group_commit_of_the_table_loses_the_label(double: DorisDouble, client: RawClient) -> None:
    double.query("DROP TABLE t")
    double.query(TABLE.format(properties=', "group_commit_mode" = "async_mode"'))
    for _ in range(2):
        told = client.load_rows(row(1), label="l", group_commit=None)
        assert (told["Status"], told["GroupCommit"], "TwoPhaseCommit" in told) == ("Success", True, False)
    assert client.state("l") == "UNKNOWN"
    assert "GroupCommit" not in client.load_rows(row(1), label="l")
    assert client.load_rows(row(1), label="l")["Status"] == "Label Already Exists"
    at_once = client.load_rows(row(1), label="m", group_commit="sync_mode")
    assert "label and group_commit" in at_once["Message"]


# 19: TLS, other hosts


@pytest.mark.skipif(not openssl_is_here(), reason="certificates are made with the openssl command")
def test_tls_is_two_redirects_away() -> None:
    with DorisDouble(tls=True, mysql_tls=True) as double:
        double.query("CREATE DATABASE dicom")
        double.query(TABLE.format(properties=""))
        client = RawClient(double)
        trusted = ssl.create_default_context(cafile=str(double.tls_ca))
        path = "/api/dicom/t/_stream_load"
        first = client.ask_fe(path)
        assert (first.status, first.headers["location"]) == (307, f"https://127.0.0.1:{double.https_port}{path}")
        second = exchange(double.https_port, "PUT", path, client.headers(), tls=trusted)
        assert second.headers["location"].startswith("https://root:")
        headers, body = client.headers(label="l"), json_lines(row(1))
        told = exchange(double.be_ports[0], "PUT", path, headers, body, tls=trusted).json
        assert (told["Status"], ids(double)) == ("Success", [1])
        with pytest.raises(ssl.SSLCertVerificationError):
            exchange(double.https_port, "PUT", path, client.headers(), tls=ssl.create_default_context())
        assert f"http_port={double.https_port}" in double.url()
        assert [request.tls for request in double.requests.all()] == [False, True, True]


def test_a_redirect_may_lead_anywhere(double: DorisDouble, client: RawClient) -> None:
    double.knobs.redirect_to = "http://elsewhere.example:80"
    assert client.ask_fe().headers["location"].endswith("@elsewhere.example:80/api/dicom/t/_stream_load?")


# 20: the log; atomicity


def test_every_request_is_noted_as_it_came(double: DorisDouble, client: RawClient) -> None:
    body = json_lines(row(1))
    client.ask_fe(label="l")
    client.load(body, label="l")
    asked, loaded = double.requests.all()
    assert (asked.server, asked.label, asked.body_bytes, asked.http_status) == ("fe", "l", 0, 307)
    assert (loaded.server, loaded.label, loaded.body_bytes) == ("be", "l", len(body))
    assert (loaded.http_status, loaded.status, loaded.continued) == (200, "Success", True)
    assert loaded.authorization == basic("root", double.password)
    assert loaded.headers["strict_mode"] == "true"
    double.requests.clear()
    assert double.requests.loads() == []


def test_a_load_is_seen_whole_or_not_at_all(double: DorisDouble, client: RawClient) -> None:
    counts: set[int] = set()
    stopped = threading.Event()

    def look() -> None:
        while not stopped.is_set():
            counts.add(double.query("SELECT count(*) FROM t")[0][0])

    looking = threading.Thread(target=look)
    looking.start()
    for number in range(1, 6):
        client.load_rows(*(row(1000 * number + i) for i in range(300)))
    stopped.set()
    looking.join()
    assert counts <= set(range(0, 1501, 300))


def test_several_doubles_are_strangers(double: DorisDouble) -> None:
    with DorisDouble() as other:
        assert other.port != double.port
        assert "dicom" not in other.cluster.databases
        started = time.perf_counter()
        DorisDouble().start().stop()
        assert time.perf_counter() - started < 2
