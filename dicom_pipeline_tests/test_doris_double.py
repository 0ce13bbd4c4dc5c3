"""The double of Apache Doris, its SQL side: each behaviour with pymysql, nothing of the loader's between."""

import datetime as dt
import socket
from collections.abc import Iterator
from typing import Any

import pymysql
import pytest
import sqlalchemy as sa

from dicom_pipeline_tests.doris_double import Account, Action, DorisDouble, Fault, Place, Privilege, Spelling
from dicom_pipeline_tests.doris_double.errors import SqlSyntaxError
from dicom_pipeline_tests.doris_double.parser import parse
from dicom_pipeline_tests.doris_double.raw_client import RawClient, parquet
from dicom_pipeline_tests.warehouse.doris.test_sql import all_statements

TABLE = """CREATE TABLE {name} (
    `tenant` VARCHAR(8) NOT NULL COMMENT 'who''s', `day` DATE NOT NULL, `id` BIGINT NOT NULL,
    `name` VARCHAR(8) NULL, `size` INT NULL, `weight` DOUBLE NULL, `seen` DATETIME(6) NULL
) ENGINE=OLAP UNIQUE KEY(`tenant`, `day`, `id`) COMMENT 'a table'
PARTITION BY RANGE(`day`) () DISTRIBUTED BY HASH(`id`) BUCKETS 1 PROPERTIES ("replication_num" = "1")"""
JANUARY = 'PARTITION p202401 VALUES [("2024-01-01"), ("2024-02-01"))'
FEBRUARY = 'PARTITION p202402 VALUES [("2024-02-01"), ("2024-03-01"))'


class Session:
    """One connection to the MySQL side."""

    def __init__(
        self, double: DorisDouble, user: str = "root", password: str | bytes | None = None, **others: Any
    ) -> None:
        given = double.password if password is None else password
        login = {"host": "127.0.0.1", "port": double.port, "user": user, "password": given, "database": "dicom"}
        # Without ssl_disabled, PyMySQL reads the machine's certificates at every connect.
        self.connection = pymysql.connect(**{"ssl_disabled": True, **login, **others})

    def run(self, sql: str) -> tuple[tuple[Any, ...], ...]:
        with self.connection.cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetchall()

    def error(self, sql: str) -> tuple[int, str]:
        with pytest.raises(pymysql.MySQLError) as caught:
            self.run(sql)
        code, message = caught.value.args
        return code, message


@pytest.fixture
def double() -> Iterator[DorisDouble]:
    with DorisDouble() as started:
        started.query("CREATE DATABASE dicom")
        started.query(TABLE.format(name="t"))
        started.query(f"ALTER TABLE t ADD {JANUARY}")
        yield started


@pytest.fixture
def session(double: DorisDouble) -> Iterator[Session]:
    opened = Session(double)
    yield opened
    opened.connection.close()


@pytest.fixture
def client(double: DorisDouble) -> RawClient:
    return RawClient(double)


def row(number: int = 1, **others: Any) -> dict[str, Any]:
    return {"tenant": "a", "day": "2024-01-15", "id": number, **others}


def table_sql(columns: str, rest: str) -> str:
    return f'CREATE TABLE x ({columns}) {rest} PROPERTIES ("replication_num" = "1")'


# Understanding statements


@pytest.mark.parametrize("statement", all_statements())
def test_every_statement_of_the_loader_is_understood(statement: str) -> None:
    parse(statement)
    parse(statement + ";")


@pytest.mark.parametrize("statement", all_statements())
def test_a_statement_with_a_piece_missing_or_too_many_is_not_understood(statement: str) -> None:
    for broken in (f"{statement} x", f"{statement} -- comment", f"({statement}", f"{statement}; SELECT 1"):
        with pytest.raises(SqlSyntaxError):
            parse(broken)


@pytest.mark.parametrize(
    "statement",
    [
        "",
        "SELECT rows FROM t",
        "SELECT read FROM t",
        "SELECT `a FROM t",
        "SELECT 'a FROM t",
        "SELECT a FROM t, u",
        "SELECT a FROM t JOIN u",
        "SELECT a FROM t WHERE a = 1 OR b = 2",
        "SELECT a FROM t FOR UPDATE",
        "SELECT sleep(1) FROM t",
        "SELECT a FROM t LIMIT x",
        "CREATE TABLE t (`a` INT) DISTRIBUTED BY HASH(`a`) PARTITION BY RANGE(`a`) ()",
        "CREATE TABLE t (`a` INT) PROPERTIES ('a' = 'b') COMMENT 'x'",
        "CREATE TABLE t (rows INT)",
        "CREATE TABLE t (a SERIAL)",
        'ALTER TABLE t ADD PARTITION p VALUES [("2024-01-01"), ("2024-02-01")]',
        "INSERT INTO t VALUES (1)",
        "INSERT INTO t VALUES (1) ON DUPLICATE KEY UPDATE a = 1",
        "REPLACE INTO t VALUES (1)",
        "UPDATE t SET a = 1",
        "SHOW CREATE TABLE t",
        "TRUNCATE TABLE t",
        "/* hint */ SELECT 1",
    ],
)
def test_what_is_not_understood_whole_is_refused(statement: str) -> None:
    with pytest.raises(SqlSyntaxError):
        parse(statement)


def test_a_syntax_error_is_1105(session: Session) -> None:
    code, message = session.error("INSERT INTO t VALUES (1)")
    assert code == 1105
    assert message.startswith("errCode = 2, detailMessage = \nsyntax error")


def test_a_backslash_means_what_sql_mode_says(session: Session) -> None:
    assert session.run("SELECT count(*) FROM t WHERE tenant = 'it''s \\\\ \\' \"`ты'") == ((0,),)
    session.run("SET sql_mode = 'NO_BACKSLASH_ESCAPES'")
    assert session.error("SELECT count(*) FROM t WHERE tenant = '\\''")[0] == 1105
    assert session.run("SELECT @@sql_mode") == (("NO_BACKSLASH_ESCAPES",),)


# Connecting


def test_a_wrong_password_ends_the_connection(double: DorisDouble) -> None:
    for user, password in (("root", "wrong"), ("root", ""), ("nobody", ""), ("nobody", double.password)):
        with pytest.raises(pymysql.OperationalError) as caught:
            Session(double, user, password)
        assert caught.value.args[0] == 1045


def test_nothing_is_served_after_a_failed_login(double: DorisDouble) -> None:
    with socket.create_connection(("127.0.0.1", double.port), 5) as raw:
        raw.recv(4096)
        login = (
            bytes.fromhex("05a20a00")
            + (1 << 24).to_bytes(4, "little")
            + b"\x2d"
            + bytes(23)
            + b"root\0\0mysql_native_password\0"
        )
        raw.sendall(len(login).to_bytes(3, "little") + b"\x01" + login)
        assert b"Access denied" in raw.recv(4096)
        assert raw.recv(4096) == b""


def test_passwords_may_hold_anything_or_be_empty() -> None:
    for password in ("", "p@s:s/w%rd ü#?&", "漢字"):
        with DorisDouble(password=password) as double:
            assert Session(double, password=password.encode(), database=None).run("SELECT 1") == ((1,),)
            client = RawClient(double)
            assert client.ask_fe("/api/dicom/t/_stream_load").status == 307


def test_an_unknown_database_is_1049(double: DorisDouble, session: Session) -> None:
    with pytest.raises(pymysql.OperationalError, match="Unknown database") as caught:
        Session(double, database="nothing")
    assert caught.value.args[0] == 1049
    assert session.error("SELECT count(*) FROM nothing.t")[0] == 1049


def test_sqlalchemy_connects_and_counts_rows(double: DorisDouble, client: RawClient) -> None:
    client.load_rows(row(1), row(2))
    url = sa.URL.create("mysql+pymysql", "root", double.password, "127.0.0.1", double.port, "dicom")
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT", pool_pre_ping=True)
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM t").scalar() == 2
        assert connection.exec_driver_sql("DELETE FROM t WHERE id = 1").rowcount == 1
    engine.dispose()
    assert "ROLLBACK" in double.statements.all()


def test_privileges_are_allowed_and_denied_by_kind(double: DorisDouble) -> None:
    double.cluster.accounts.add(
        Account("reader", "r", frozenset({Privilege.SELECT, Privilege.ALTER}), frozenset({"dicom"}))
    )
    reader = Session(double, "reader", "r")
    assert reader.run("SELECT count(*) FROM t") == ((0,),)
    reader.run(f"ALTER TABLE t ADD {FEBRUARY}")
    assert reader.error(TABLE.format(name="u"))[0] == 1142
    assert reader.error("DELETE FROM t WHERE id = 1")[0] == 1142
    assert reader.error("SHOW BACKENDS")[0] == 1227
    double.cluster.accounts.add(Account("loader", "l", frozenset({Privilege.LOAD}), frozenset({"dicom"})))
    loader = Session(double, "loader", "l")
    assert "Permission denied" in loader.error("SELECT count(*) FROM t")[1]


def test_grants_are_shown_as_doris_does(double: DorisDouble, session: Session) -> None:
    double.cluster.accounts.add(
        Account("reader", "r", frozenset({Privilege.LOAD, Privilege.SELECT}), frozenset({"dicom"}))
    )
    (root,), (reader,) = session.run("SHOW GRANTS"), Session(double, "reader", "r").run("SHOW GRANTS")
    assert (root[0], root[4]) == ("'root'@'%'", "Node_priv,Admin_priv")
    assert (reader[0], reader[4]) == ("'reader'@'%'", None)
    assert reader[6].endswith("internal.dicom: Select_priv,Load_priv")


# Queries


def test_values_come_back_typed_and_exact(client: RawClient, session: Session) -> None:
    client.load_rows(row(1, name="é", size=-1, weight=0.1, seen="2024-01-01 00:00:00"))
    client.load_rows(row(2, weight=5e-324, seen="9999-12-31 23:59:59.999999"), row(3, day="2024-01-31"))
    with session.connection.cursor() as cursor:
        cursor.execute("SELECT * FROM t ORDER BY id")
        found = cursor.fetchall()
        assert [column[1] for column in cursor.description] == [253, 10, 8, 253, 3, 5, 12]
    day = dt.date(2024, 1, 15)
    first = dt.datetime.fromisoformat("2024-01-01T00:00:00")
    last = dt.datetime.fromisoformat("9999-12-31T23:59:59.999999")
    assert found[0] == ("a", day, 1, "é", -1, 0.1, first)
    assert found[1] == ("a", day, 2, None, None, 5e-324, last)
    assert found[2] == ("a", dt.date(2024, 1, 31), 3, None, None, None, None)


def test_moments_and_doubles_are_sent_as_whole_texts(double: DorisDouble, client: RawClient) -> None:
    client.load_rows(row(1, weight=0.1, seen="2024-01-01 00:00:00"))
    raw = Session(double, conv={}).run("SELECT weight, seen, day, size FROM t")
    assert raw == (("0.1", "2024-01-01 00:00:00.000000", "2024-01-15", None),)


def test_texts_are_compared_and_sorted_by_their_bytes(client: RawClient, session: Session) -> None:
    names = ["a", "B", "", "\U0001f600", "\uff21", "a ", None]
    client.load_rows(*(row(number, name=name) for number, name in enumerate(names)))
    found = [name for (name,) in session.run("SELECT name FROM t ORDER BY name")]
    assert found == [None, "", "B", "a", "a ", "\uff21", "\U0001f600"]
    assert session.run("SELECT count(*) FROM t WHERE name = 'A'") == ((0,),)
    assert [name for (name,) in session.run("SELECT name FROM t ORDER BY name NULLS LAST LIMIT 1")] == [""]
    assert session.run("SELECT name FROM t ORDER BY name DESC LIMIT 1") == (("\U0001f600",),)


def test_groups_are_counted_and_summed(client: RawClient, session: Session) -> None:
    client.load_rows(row(1, name="x", size=1), row(2, name="x", size=2), row(3, name="y"))
    sql = "SELECT name, count(*), coalesce(sum(size), 0) FROM t GROUP BY name ORDER BY name"
    assert session.run(sql) == (("x", 2, 3), ("y", 1, 0))
    several = "SELECT count(*), coalesce(sum(n), 0) FROM (SELECT count(*) AS n FROM t GROUP BY name HAVING n > 1) c"
    assert "Unknown column" in session.error(several)[1]
    assert session.run(several.replace("n > 1", "count(*) > 1")) == ((1, 2),)
    assert "GROUP BY" in session.error("SELECT name, count(*) FROM t")[1]
    assert session.run("SELECT DISTINCT name FROM t ORDER BY name LIMIT 1") == (("x",),)


def test_views_are_no_tables(session: Session) -> None:
    session.run("CREATE VIEW v AS SELECT tenant, id FROM t")
    assert session.run("SELECT count(*) FROM v") == ((0,),)
    types = (
        "SELECT TABLE_NAME, TABLE_TYPE FROM information_schema.tables WHERE TABLE_SCHEMA = 'dicom' ORDER BY TABLE_NAME"
    )
    assert session.run(types) == (("t", "BASE TABLE"), ("v", "VIEW"))
    assert session.error("DROP TABLE v")[0] == 1347
    session.run("DROP VIEW v")


@pytest.mark.parametrize(
    ("spelling", "types"),
    [
        (Spelling.NEW, ["varchar(8)", "date", "bigint", "varchar(8)", "int", "double", "datetime(6)"]),
        (Spelling.OLD, ["varchar(8)", "datev2", "bigint(20)", "varchar(8)", "int(11)", "double", "datetimev2(6)"]),
    ],
)
def test_columns_are_spelled_as_the_version_does(
    double: DorisDouble, session: Session, spelling: Spelling, types: list[str]
) -> None:
    double.knobs.spelling = spelling
    columns = "COLUMN_TYPE, DATA_TYPE, CHARACTER_MAXIMUM_LENGTH, CHARACTER_OCTET_LENGTH, IS_NULLABLE, COLUMN_KEY"
    found = session.run(f"SELECT {columns}, COLUMN_COMMENT FROM information_schema.columns ORDER BY ORDINAL_POSITION")
    assert [column[0] for column in found] == types
    assert found[0][2:] == (8, 32, "NO", "UNI", "who's")
    assert found[1][1] == ("date" if spelling is Spelling.NEW else "unknown")
    assert found[3][4:6] == ("YES", "")


# Definitions


@pytest.mark.parametrize(
    ("columns", "rest", "message"),
    [
        ("`a` INT, `k` INT", "UNIQUE KEY(`k`) DISTRIBUTED BY HASH(`k`)", "ordered prefix"),
        ("`k` INT, `l` INT", "UNIQUE KEY(`l`, `k`) DISTRIBUTED BY HASH(`k`)", "ordered prefix"),
        ("`k` DOUBLE", "UNIQUE KEY(`k`) DISTRIBUTED BY HASH(`k`)", "Float or double"),
        ("`k` STRING", "UNIQUE KEY(`k`) DISTRIBUTED BY HASH(`k`)", "String Type should not be used in key"),
        ("`k` JSON", "UNIQUE KEY(`k`) DISTRIBUTED BY HASH(`k`)", "should not be used in key"),
        ("`k` INT, `a` TIME", "UNIQUE KEY(`k`) DISTRIBUTED BY HASH(`k`)", "Time type is not supported"),
        ("`k` INT, `a` VARCHAR(65534)", "UNIQUE KEY(`k`) DISTRIBUTED BY HASH(`k`)", "size must be"),
        ("`k` INT, `a` DATETIME(7)", "UNIQUE KEY(`k`) DISTRIBUTED BY HASH(`k`)", "between 0 and 6"),
        ("`k` INT, `K` INT", "UNIQUE KEY(`k`) DISTRIBUTED BY HASH(`k`)", "Duplicate column name"),
        ("`k` INT, `mv_a` INT", "UNIQUE KEY(`k`) DISTRIBUTED BY HASH(`k`)", "Incorrect column name"),
        ("`k` INT, `a` INT", "UNIQUE KEY(`k`) DISTRIBUTED BY HASH(`a`)", "is not key column"),
        ("`k` INT", "UNIQUE KEY(`k`) DISTRIBUTED BY RANDOM", "random distribution"),
        ("`k` INT", "UNIQUE KEY(`k`) DISTRIBUTED BY HASH(`k`) BUCKETS 0", "Buckets"),
        (
            "`k` INT, `d` DATE NOT NULL",
            "UNIQUE KEY(`k`) PARTITION BY RANGE(`d`) () DISTRIBUTED BY HASH(`k`)",
            "partition column must be KEY",
        ),
        (
            "`d` DATE NULL, `k` INT",
            "UNIQUE KEY(`d`, `k`) PARTITION BY RANGE(`d`) () DISTRIBUTED BY HASH(`k`)",
            "must be NOT NULL",
        ),
    ],
)
def test_tables_that_doris_does_not_make(session: Session, columns: str, rest: str, message: str) -> None:
    code, said = session.error(table_sql(columns, rest))
    assert code == 1105
    assert message in said


def test_replicas_need_backends(session: Session) -> None:
    sql = "CREATE TABLE x (`k` INT) UNIQUE KEY(`k`) DISTRIBUTED BY HASH(`k`)"
    assert "replication num is 3, available backend num is 1" in session.error(sql)[1]
    assert "replication num" in session.error(f'{sql} PROPERTIES ("replication_num" = "2")')[1]
    assert "Unknown properties" in session.error(f'{sql} PROPERTIES ("replication" = "1")')[1]
    with DorisDouble(backends=3) as three:
        three.query("CREATE DATABASE dicom")
        three.query(sql)


def test_a_table_that_is_there_is_left_alone(double: DorisDouble, session: Session) -> None:
    assert session.error(TABLE.format(name="t"))[0] == 1050
    session.run(table_sql("`k` INT", "UNIQUE KEY(`k`) DISTRIBUTED BY HASH(`k`)").replace(" x ", " IF NOT EXISTS t "))
    assert len(double.cluster.database("dicom").table("t").columns) == 7


def test_partitions_do_not_meet(session: Session) -> None:
    session.run(f"ALTER TABLE t ADD PARTITION IF NOT EXISTS {JANUARY.removeprefix('PARTITION ')}")
    assert session.error(f"ALTER TABLE t ADD {JANUARY}")[0] == 1517
    for start, end in (("2024-01-31", "2024-02-02"), ("2023-12-01", "2024-01-02"), ("0001-01-01", "9999-12-31")):
        sql = f'ALTER TABLE t ADD PARTITION IF NOT EXISTS p VALUES [("{start}"), ("{end}"))'
        assert "is intersected with range" in session.error(sql)[1]
    session.run('ALTER TABLE t ADD PARTITION p999912 VALUES [("9999-12-01"), (MAXVALUE))')
    assert "intersected" in session.error('ALTER TABLE t ADD PARTITION p VALUES [("9999-12-31"), (MAXVALUE))')[1]
    assert session.error('ALTER TABLE t ADD PARTITION p VALUES [("2025-01-02"), ("2025-01-01"))')[0] == 1105
    assert [p[1] for p in session.run("SHOW PARTITIONS FROM t")] == ["p202401", "p999912"]
    assert session.run("SHOW PARTITIONS FROM t WHERE PartitionName = 'p202402'") == ()


def test_a_dropped_partition_takes_its_rows_with_it(client: RawClient, session: Session) -> None:
    client.load_rows(row(1))
    session.run("ALTER TABLE t DROP PARTITION p202401")
    assert session.run("SELECT count(*) FROM t") == ((0,),)
    assert session.error("ALTER TABLE t DROP PARTITION p202401")[0] == 1507


def test_light_changes_are_done_at_once(client: RawClient, session: Session) -> None:
    client.load_rows(row(1, name="x"))
    session.run("ALTER TABLE t ADD COLUMN extra INT NULL COMMENT 'more'")
    session.run("ALTER TABLE t MODIFY COLUMN name VARCHAR(16) NULL")
    session.run("ALTER TABLE t DROP COLUMN size")
    assert session.run("SELECT name, extra FROM t") == (("x", None),)
    states = [job[9] for job in session.run("SHOW ALTER TABLE COLUMN FROM dicom WHERE TableName = 't'")]
    assert states == ["FINISHED"] * 3


def test_heavy_changes_go_on_one_at_a_time(double: DorisDouble, client: RawClient, session: Session) -> None:
    client.load_rows(row(1, size=7))
    session.run("ALTER TABLE t MODIFY COLUMN size BIGINT NULL")
    latest = "SHOW ALTER TABLE COLUMN FROM dicom WHERE TableName = 't' ORDER BY CreateTime DESC LIMIT 1"
    assert "not NORMAL" in session.error("ALTER TABLE t ADD COLUMN extra INT NULL")[1]
    assert "not NORMAL" in session.error(f"ALTER TABLE t ADD TEMPORARY {FEBRUARY}")[1]
    assert [session.run(latest)[0][9] for _ in range(4)] == ["PENDING", "WAITING_TXN", "RUNNING", "FINISHED"]
    columns = "SELECT COLUMN_TYPE FROM information_schema.columns WHERE COLUMN_NAME = 'size'"
    assert session.run(columns) == (("bigint",),)
    double.knobs.slow_alters, double.knobs.alter_polls = True, 1
    session.run("ALTER TABLE t ADD COLUMN extra INT NULL")
    assert "Unknown column" in session.error("SELECT extra FROM t")[1]
    assert [session.run(latest)[0][9] for _ in range(2)] == ["PENDING", "FINISHED"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("MODIFY COLUMN tenant VARCHAR(16) NOT NULL", "key column"),
        ("DROP COLUMN tenant", "key column"),
        ("MODIFY COLUMN name VARCHAR(4) NULL", "Shorten type length is prohibited"),
        ("MODIFY COLUMN name VARCHAR(16) NOT NULL", "nullable to non-nullable"),
        ("MODIFY COLUMN name INT NULL", "Can not change"),
        ("MODIFY COLUMN name VARCHAR(8) NULL", "Nothing is changed"),
        ("MODIFY COLUMN other INT NULL", "does not exists"),
        ("ADD COLUMN name INT NULL", "already exists"),
    ],
)
def test_changes_that_doris_does_not_make(session: Session, change: str, message: str) -> None:
    assert message in session.error(f"ALTER TABLE t {change}")[1]


def test_temporary_partitions(client: RawClient, session: Session) -> None:
    client.load_rows(row(1))
    session.run(f"ALTER TABLE t ADD TEMPORARY {JANUARY.replace('p2', 'tp2')}")
    assert "intersected" in session.error(f"ALTER TABLE t ADD TEMPORARY {JANUARY.replace('p2', 'other2')}")[1]
    assert "temp partitions" in session.error("ALTER TABLE t ADD COLUMN extra INT NULL")[1]
    assert client.load_rows(row(2), row(3), temporary_partitions="tp202401")["Status"] == "Success"
    assert session.run("SELECT id FROM t") == ((1,),)
    assert session.run("SELECT count(*) FROM t TEMPORARY PARTITION (tp202401)") == ((2,),)
    session.run("ALTER TABLE t REPLACE PARTITION (p202401) WITH TEMPORARY PARTITION (tp202401)")
    assert session.run("SELECT id FROM t PARTITION (p202401) ORDER BY id") == ((2,), (3,))
    assert session.run("SHOW TEMPORARY PARTITIONS FROM t") == ()
    session.run(f"ALTER TABLE t ADD TEMPORARY {FEBRUARY.replace('p2', 'tp2')}")
    unequal = "ALTER TABLE t REPLACE PARTITION (p202401) WITH TEMPORARY PARTITION (tp202402)"
    assert "stricly matched" in session.error(unequal)[1]
    session.run("ALTER TABLE t DROP TEMPORARY PARTITION tp202402")
    session.run("ALTER TABLE t DROP TEMPORARY PARTITION IF EXISTS tp202402")


def test_in_a_transaction_nothing_is_asked_or_defined(session: Session) -> None:
    session.run("BEGIN")
    for sql in ("SELECT count(*) FROM t", "SELECT 1", f"ALTER TABLE t ADD {FEBRUARY}", "SHOW BACKENDS"):
        code, message = session.error(sql)
        assert (code, "This is in a transaction" in message) == (1105, True)
    session.run("COMMIT")
    session.run("SELECT count(*) FROM t")
    session.run("BEGIN WITH LABEL l")
    session.run("ROLLBACK")
    session.run("SELECT count(*) FROM t")


# What goes wrong


def test_a_follower_hears_of_a_load_by_sync(double: DorisDouble, client: RawClient, session: Session) -> None:
    double.knobs.follower_lag = True
    client.load_rows(row(1))
    assert session.run("SELECT count(*) FROM t") == ((0,),)
    assert double.query("SELECT count(*) FROM t") == [(1,)]
    session.run("SYNC")
    assert session.run("SELECT count(*) FROM t") == ((1,),)


def test_statements_fail_when_told_to(double: DorisDouble) -> None:
    double.faults.add(Fault(Place.MYSQL, skip=1, containing="count"))
    double.faults.add(Fault(Place.MYSQL, Action.ERROR, answer=b"timeout", containing="DISTINCT"))
    session = Session(double)
    session.run("SELECT count(*) FROM t")
    with pytest.raises(pymysql.OperationalError, match="Lost connection"):
        session.run("SELECT count(*) FROM t")
    again = Session(double)
    assert again.run("SELECT count(*) FROM t") == ((0,),)
    assert again.error("SELECT DISTINCT id FROM t") == (1105, "errCode = 2, detailMessage = timeout")
    double.faults.add(Fault(Place.MYSQL_AFTER, containing="ADD PARTITION"))
    with pytest.raises(pymysql.OperationalError, match="Lost connection"):
        again.run(f"ALTER TABLE t ADD {FEBRUARY}")
    assert "p202402" in double.cluster.database("dicom").table("t").partitions
    assert double.faults.pending == 0


def test_many_rows_are_read(double: DorisDouble, client: RawClient) -> None:
    count = 10_000
    body = parquet({"tenant": ["a"] * count, "day": [dt.date(2024, 1, 15)] * count, "id": list(range(count))})
    told = client.load(body, format="parquet", read_json_by_line=None).json
    assert told["NumberLoadedRows"] == count
    with Session(double, cursorclass=pymysql.cursors.SSCursor).connection.cursor() as cursor:
        cursor.execute("SELECT * FROM t ORDER BY id")
        assert sum(1 for _ in cursor) == count
