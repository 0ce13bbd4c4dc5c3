"""Whatever goes wrong on the way to Doris: a load succeeds or says in a line why not, and nothing is loaded twice."""

import datetime as dt
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing

import pyarrow as pa
import pytest

from dicom_pipeline.dicom.fields import IMAGE, LOAD, REJECT, SLICE_TABLES, STATE, TableSpec
from dicom_pipeline.errors import WarehouseError, WarehouseUnavailable
from dicom_pipeline.warehouse.base import Slice
from dicom_pipeline.warehouse.doris import sql
from dicom_pipeline.warehouse.doris.warehouse import DorisWarehouse
from dicom_pipeline_tests.doris_double import Action, DorisDouble, Fault, Place
from dicom_pipeline_tests.doris_double.transactions import State
from dicom_pipeline_tests.warehouse.doris.pace import QuickTime, open_quick
from dicom_pipeline_tests.warehouse.rows import FIRST_CLOCK, SECOND_CLOCK, TARGET, facts, make_rows, make_slice

CANARY = "CANARY^Jane"
TABLES = (*SLICE_TABLES, LOAD)


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dicom_pipeline.warehouse.doris.replace._PAUSE_SECONDS", 0.001)
    monkeypatch.setattr("dicom_pipeline.warehouse.doris.connection._PATIENCE_SECONDS", 0.2)


@pytest.fixture
def warehouse(own_double: DorisDouble) -> Iterator[DorisWarehouse]:
    """A warehouse on the double, with a slice of four images, two series and a reject."""
    with closing(open_quick(own_double.url())) as opened:
        opened.replace_slice(TARGET, make_slice(), facts())
        own_double.requests.clear()
        own_double.statements.clear()
        yield opened


def wanted() -> dict[str, pa.Table]:
    """What is loaded over it: in every table a row is gone, one is changed, and there is a new one."""
    image = make_rows(IMAGE, start=1, clock=SECOND_CLOCK)
    place = image.schema.get_field_index("patient_id")
    names = [CANARY, *image["patient_id"].to_pylist()[1:]]
    image = image.set_column(place, image.schema.field(place), pa.array(names))
    return {
        IMAGE.name: image,
        STATE.name: make_rows(STATE, start=1, count=2, clock=SECOND_CLOCK),
        REJECT.name: make_rows(REJECT, start=1, count=2, clock=SECOND_CLOCK),
    }


def rows_of(warehouse: DorisWarehouse, table: TableSpec) -> pa.Table:
    steady = [field.name for field in table.fields if not field.volatile]
    return warehouse.read(table, [TARGET], steady).read_all()


def is_there(warehouse: DorisWarehouse, tables: dict[str, pa.Table]) -> list[bool]:
    found = {table: rows_of(warehouse, table) for table in SLICE_TABLES}
    return [rows.equals(tables[table.name].select(rows.column_names)) for table, rows in found.items()]


def load(warehouse: DorisWarehouse, run: str = "run-2") -> Exception | None:
    try:
        warehouse.replace_slice(TARGET, wanted(), facts(run, SECOND_CLOCK))
    except WarehouseError as error:
        assert_fit_for_showing(error)
        return error
    return None


def assert_fit_for_showing(error: WarehouseError) -> None:
    text = str(error)
    assert "\n" not in text
    assert "CANARY" not in text
    assert "s3cret" not in text
    assert error.__suppress_context__ or error.__context__ is None


def assert_loaded_once(double: DorisDouble) -> None:
    """Each table was loaded by one transaction, whose label all of its requests had, none sent more than once each."""
    loads = double.requests.loads()
    for table in TABLES:
        own = [request for request in loads if f"/{table.name}/" in request.path]
        assert len({request.label for request in own}) == 1
        named = [r for r in double.requests.all("fe", containing=f"/{table.name}/_stream_load") if r.label]
        assert {request.label for request in named} == {request.label for request in own}
        assert all(r.body_bytes <= int(r.headers["content-length"]) for r in own)
        assert not any(request.body_bytes for request in named)
        assert committed(double)[own[0].label] == 1


def committed(double: DorisDouble) -> Counter[str]:
    return Counter(t.label for t in double.transactions._all if t.state in (State.COMMITTED, State.VISIBLE))


def assert_settled(warehouse: DorisWarehouse) -> None:
    assert is_there(warehouse, wanted()) == [True] * 3
    created = warehouse.read(IMAGE, [TARGET], ["created_time"]).read_all()["created_time"].to_pylist()
    assert created == [FIRST_CLOCK] * 3 + [SECOND_CLOCK]
    runs = warehouse.read(LOAD, [TARGET]).read_all()["run_id"].to_pylist()
    assert len(runs) == 2


def test_without_a_fault_each_table_is_sent_once(warehouse: DorisWarehouse, own_double: DorisDouble) -> None:
    assert load(warehouse) is None
    assert_settled(warehouse)
    assert_loaded_once(own_double)
    sent = [request.path.split("/")[3] for request in own_double.requests.loads()]
    assert sent == [IMAGE.name, STATE.name, REJECT.name, LOAD.name]
    assert own_double.requests.all(containing="get_load_state") == []


PASSING = [
    *((Place.FE, a) for a in (Action.DROP, Action.RESET, Action.DELAY, Action.HTML_502, Action.NO_BACKEND)),
    *(
        (place, action)
        for place in (Place.BE_BEFORE_HEADERS, Place.BE_AFTER_HEADERS, Place.BE_BEFORE_COMMIT, Place.BE_AFTER_COMMIT)
        for action in (Action.DROP, Action.RESET, Action.DELAY, Action.HTML_502)
    ),
    (Place.BE_AFTER_COMMIT, Action.TRUNCATE),
    (Place.BE_MID_BODY, Action.RESET),
    (Place.BE_MID_BODY, Action.DELAY),
    (Place.MYSQL, Action.DELAY),
    (Place.MYSQL_AFTER, Action.DELAY),
]


@pytest.mark.parametrize(("place", "action"), PASSING)
def test_what_passes_is_got_over(
    warehouse: DorisWarehouse, own_double: DorisDouble, place: Place, action: Action
) -> None:
    """Once in the load of each table."""
    for table in TABLES:
        own_double.faults.add(Fault(place, action, seconds=0.01, containing=table.name))
    assert load(warehouse) is None
    assert own_double.faults.pending == 0
    assert_settled(warehouse)
    assert_loaded_once(own_double)


@pytest.mark.parametrize("action", [Action.DROP, Action.RESET, Action.HTML_502, Action.TRUNCATE])
@pytest.mark.parametrize("table", TABLES, ids=lambda t: t.name)
def test_a_lost_answer_is_asked_for_until_it_is_known(
    warehouse: DorisWarehouse, own_double: DorisDouble, action: Action, table: TableSpec
) -> None:
    own_double.faults.add(Fault(Place.BE_AFTER_COMMIT, Action.DROP, containing=table.name))
    own_double.faults.add(Fault(Place.FE_STATE, action, times=2))
    assert load(warehouse) is None
    assert own_double.faults.pending == 0
    assert_settled(warehouse)
    assert_loaded_once(own_double)
    assert len([r for r in own_double.requests.loads() if table.name in r.path]) == 1


LASTING = [(p, action) for p, action in PASSING if action is not Action.DELAY and p is not Place.BE_AFTER_COMMIT]


@pytest.mark.parametrize(("place", "action"), LASTING)
def test_what_lasts_is_a_passing_failure_after_a_few_tries(
    warehouse: DorisWarehouse, own_double: DorisDouble, place: Place, action: Action
) -> None:
    table = (IMAGE, REJECT)[LASTING.index((place, action)) % 2]
    own_double.faults.add(Fault(place, action, times=1000, containing=table.name))
    assert isinstance(load(warehouse), WarehouseUnavailable)
    tried = [request for request in own_double.requests.all(containing=f"/{table.name}/") if request.method == "PUT"]
    assert len([request for request in tried if request.server == "fe"]) == 5
    assert len({request.label for request in tried}) == 1
    done = [table is REJECT, table is REJECT, False]
    assert is_there(warehouse, wanted()) == done
    assert is_there(warehouse, make_slice()) == [not d for d in done]
    own_double.faults.clear()
    assert load(warehouse, "run-3") is None
    assert_settled(warehouse)


@pytest.mark.parametrize("action", [Action.DROP, Action.HTML_502])
def test_a_load_whose_answers_are_all_lost_is_known_by_its_label(
    warehouse: DorisWarehouse, own_double: DorisDouble, action: Action
) -> None:
    own_double.faults.add(Fault(Place.BE_AFTER_COMMIT, action, times=1000))
    assert load(warehouse) is None
    assert_settled(warehouse)
    assert_loaded_once(own_double)


def test_where_nothing_can_be_asked_the_outcome_is_said_to_be_unknown(
    warehouse: DorisWarehouse, own_double: DorisDouble
) -> None:
    own_double.faults.add(Fault(Place.BE_AFTER_COMMIT, Action.DROP, times=1000, containing=STATE.name))
    own_double.faults.add(Fault(Place.FE_STATE, Action.DROP, times=1000))
    error = load(warehouse)
    assert isinstance(error, WarehouseUnavailable)
    assert re.search("unknown|not seen to become visible", str(error))
    assert committed(own_double)[own_double.requests.loads()[-1].label] == 1
    own_double.faults.clear()
    assert load(warehouse, "run-3") is None
    assert_settled(warehouse)


MESSAGES = {
    "[E-235]failed to init rowset builder. version count: 2001, exceed limit: 2000 CANARY": True,
    "[MEM_LIMIT_EXCEEDED]PreCatch error code:11, CANARY": True,
    "[SERVICE_UNAVAILABLE]Have not get FE Master heartbeat yet CANARY": True,
    "[NOT_MASTER]CANARY": True,
    "[ANALYSIS_ERROR]current running txns on db CANARY is 1000, larger than limit 1000": True,
    "[THRIFT_RPC_ERROR]CANARY": True,
    "[INTERNAL_ERROR]CANARY": False,
    "[EXCEEDED_LIMIT]body exceed max size: 1, data: 2 CANARY": False,
    "[DATA_QUALITY_ERROR]too many filtered rows CANARY": False,
    "[NOT_AUTHORIZED]CANARY": False,
}


def http(json: str) -> bytes:
    return f"HTTP/1.1 200 OK\r\nContent-Length: {len(json)}\r\nConnection: close\r\n\r\n{json}".encode()


@pytest.mark.parametrize(("message", "transient"), MESSAGES.items(), ids=[m.split("]")[0][1:] for m in MESSAGES])
@pytest.mark.parametrize("times", [1, 1000], ids=["once", "always"])
def test_a_refusal_is_tried_again_only_if_it_may_pass(
    warehouse: DorisWarehouse, own_double: DorisDouble, message: str, transient: bool, times: int
) -> None:
    told = http(f'{{"Status": "Fail", "Message": "{message}", "FirstErrorMsg": "{CANARY}"}}')
    own_double.faults.add(Fault(Place.BE_BEFORE_HEADERS, Action.ANSWER, answer=told, times=times))
    error = load(warehouse)
    if transient and times == 1:
        assert error is None
    else:
        assert isinstance(error, WarehouseError)
        assert error.transient == transient
        assert is_there(warehouse, make_slice()) == [True] * 3
        assert len(own_double.requests.loads()) == (5 if transient else 1)
        own_double.faults.clear()
        assert load(warehouse) is None
    assert_settled(warehouse)


@pytest.mark.parametrize("statement", ["SYNC", "SELECT", "SHOW", "ALTER", f"FROM `dicom`.`{REJECT.name}`"])
@pytest.mark.parametrize("place", [Place.MYSQL, Place.MYSQL_AFTER])
def test_a_session_that_ends_is_a_passing_failure(
    warehouse: DorisWarehouse, own_double: DorisDouble, place: Place, statement: str
) -> None:
    own_double.cluster.databases["dicom"].table(IMAGE.name).partitions.clear()
    own_double.faults.add(Fault(place, Action.DROP, containing=statement))
    error = load(warehouse)
    assert isinstance(error, WarehouseUnavailable)
    assert own_double.faults.pending == 0
    assert load(warehouse, "run-3") is None
    assert_settled(warehouse)


def test_a_session_that_ends_between_two_tables_read_back_loses_nothing(
    warehouse: DorisWarehouse, own_double: DorisDouble
) -> None:
    """The loads are in when the session ends, the ledger is not."""
    own_double.faults.add(Fault(Place.MYSQL, Action.DROP, containing="SYNC", skip=1))
    assert isinstance(load(warehouse), WarehouseUnavailable)
    assert is_there(warehouse, wanted()) == [True] * 3
    own_double.requests.clear()
    assert load(warehouse, "run-3") is None
    assert [request.path.split("/")[3] for request in own_double.requests.loads()] == [LOAD.name]
    assert_settled(warehouse)


def test_an_error_of_a_statement_is_told_without_its_text(warehouse: DorisWarehouse, own_double: DorisDouble) -> None:
    own_double.faults.add(Fault(Place.MYSQL, Action.ERROR, answer=f"{CANARY} in SELECT".encode(), containing="SELECT"))
    error = load(warehouse)
    assert isinstance(error, WarehouseError)
    assert not error.transient
    assert "loading a slice: Doris answered error 1105" in str(error)
    assert load(warehouse) is None


def test_a_partition_that_cannot_be_made_is_told_before_anything_is_sent(
    warehouse: DorisWarehouse, own_double: DorisDouble
) -> None:
    own_double.faults.add(Fault(Place.MYSQL, Action.ERROR, answer=CANARY.encode(), containing="ADD PARTITION"))
    later = Slice(TARGET.tenant_id, dt.date(2031, 5, 6))
    with pytest.raises(WarehouseError, match="loading a slice: Doris answered error 1105"):
        warehouse.replace_slice(later, make_slice(later), facts())
    assert own_double.requests.loads() == []
    warehouse.replace_slice(later, make_slice(later), facts())


def test_an_attempt_told_twice_keeps_its_first_row_though_its_label_is_forgotten(
    warehouse: DorisWarehouse, own_double: DorisDouble
) -> None:
    assert load(warehouse, "run-1") is None
    first = own_double.rows(LOAD.name)
    own_double.clock.move(30 * 86400)
    assert load(warehouse, "run-1") is None
    assert own_double.rows(LOAD.name) == first


def test_rows_that_are_committed_and_not_visible_yet_are_waited_for(
    warehouse: DorisWarehouse, own_double: DorisDouble
) -> None:
    own_double.knobs.publish_polls = [3, 1, 2, 4]
    assert load(warehouse) is None
    assert own_double.knobs.publish_polls == []
    assert len(own_double.requests.all(containing="get_load_state")) == 4 + 2 + 3 + 5
    assert_settled(warehouse)
    assert_loaded_once(own_double)


def test_rows_that_do_not_become_visible_in_time_are_a_passing_failure(
    warehouse: DorisWarehouse, own_double: DorisDouble
) -> None:
    own_double.knobs.publish_polls = [1000]
    error = load(warehouse)
    assert isinstance(error, WarehouseUnavailable)
    assert "committed" in str(error)
    own_double.transactions._all[-1].hidden_polls = 0
    assert load(warehouse) is None
    assert_settled(warehouse)


def test_a_follower_is_told_to_catch_up_before_it_is_asked(warehouse: DorisWarehouse, own_double: DorisDouble) -> None:
    own_double.knobs.follower_lag = True
    for run, tables in (("run-2", wanted()), ("run-3", make_slice()), ("run-4", wanted())):
        own_double.requests.clear()
        own_double.statements.clear()
        changes = warehouse.replace_slice(TARGET, tables, facts(run))
        for table in SLICE_TABLES:
            assert changes[table.name].rows == tables[table.name].num_rows
            assert warehouse.digest(table, TARGET) == changes[table.name].read_back.digest
        assert len(own_double.requests.loads()) == 4
        assert len(own_double.statements.all("SYNC")) == 2 + len(SLICE_TABLES)


def test_a_table_that_groups_commits_is_loaded_by_label_all_the_same(
    warehouse: DorisWarehouse, own_double: DorisDouble
) -> None:
    for table in TABLES:
        own_double.cluster.databases["dicom"].table(table.name).properties["group_commit_mode"] = "async_mode"
    own_double.faults.add(Fault(Place.BE_AFTER_COMMIT, Action.DROP, times=4))
    assert load(warehouse) is None
    assert_settled(warehouse)
    assert_loaded_once(own_double)


def test_too_many_loads_at_once_are_waited_for(warehouse: DorisWarehouse, own_double: DorisDouble) -> None:
    own_double.transactions.running_limit = 0
    error = load(warehouse)
    assert isinstance(error, WarehouseUnavailable)
    assert "current running txns on db" in str(error)
    own_double.transactions.running_limit = 1
    assert load(warehouse) is None
    assert_settled(warehouse)


@pytest.mark.parametrize("place", [Place.BE_AFTER_HEADERS, Place.BE_BEFORE_COMMIT, Place.BE_AFTER_COMMIT])
def test_a_backend_that_restarts_during_a_load_is_sent_it_again(
    warehouse: DorisWarehouse, own_double: DorisDouble, place: Place
) -> None:
    own_double.faults.add(Fault(place, Action.DELAY, seconds=0.3, containing=STATE.name))

    def restart() -> None:
        while own_double.faults.pending:
            time.sleep(0.005)
        own_double.restart_be()

    meanwhile = threading.Thread(target=restart)
    meanwhile.start()
    assert load(warehouse) is None
    meanwhile.join()
    assert_settled(warehouse)
    assert_loaded_once(own_double)


def test_labels_that_are_forgotten_in_the_middle_do_no_harm(own_double: DorisDouble) -> None:
    """The answer is lost, and before the label can be asked for it is forgotten: the same rows are sent again."""
    quick = QuickTime(also=lambda seconds: own_double.clock.move(13 * 3600))
    with closing(open_quick(own_double.url(), quick.pace())) as warehouse:
        warehouse.replace_slice(TARGET, make_slice(), facts())
        own_double.faults.add(Fault(Place.BE_AFTER_COMMIT, Action.DROP, containing=IMAGE.name))
        own_double.faults.add(Fault(Place.FE_STATE, Action.DROP, times=1))
        assert load(warehouse) is None
        assert_settled(warehouse)


def test_labels_that_are_forgotten_between_loads_do_no_harm(warehouse: DorisWarehouse, own_double: DorisDouble) -> None:
    """States come back, and so do their labels; the attempt that is told again keeps its first row of the ledger."""
    first = warehouse.read(LOAD).read_all()
    for turn in range(3):
        for tables in (wanted(), make_slice()):
            warehouse.replace_slice(TARGET, tables, facts())
            assert is_there(warehouse, tables) == [True] * 3
            own_double.clock.move(13 * 3600 * (turn % 2))
    assert warehouse.read(LOAD).read_all().equals(first)


def test_a_table_that_was_emptied_is_loaded_again_as_often_as_that_happens(
    warehouse: DorisWarehouse, own_double: DorisDouble
) -> None:
    for _ in range(3):
        own_double.cluster.databases["dicom"].table(IMAGE.name).rows = {}
        changes = warehouse.replace_slice(TARGET, make_slice(), facts())
        assert changes[IMAGE.name].inserted == 4
        assert is_there(warehouse, make_slice()) == [True] * 3


class TestStrangers:
    """Another load has the label: that of another process that started from the same rows."""

    @pytest.fixture
    def label(self, warehouse: DorisWarehouse, own_double: DorisDouble) -> str:
        """The label that the next load of the images will have."""
        own_double.faults.add(Fault(Place.FE, Action.NO_BACKEND, times=1000))
        assert isinstance(load(warehouse), WarehouseUnavailable)
        own_double.faults.clear()
        label = own_double.requests.all("fe")[0].label
        own_double.requests.clear()
        assert label is not None
        return label

    def test_one_that_has_finished_is_looked_at_before_more_is_sent(
        self, warehouse: DorisWarehouse, own_double: DorisDouble, label: str
    ) -> None:
        transactions = own_double.transactions
        transactions.commit(transactions.begin("dicom", label, 600))
        assert load(warehouse) is None
        assert_settled(warehouse)
        first, second = (r for r in own_double.requests.loads() if IMAGE.name in r.path)
        assert (first.status, second.status) == ("Label Already Exists", "Success")
        assert first.label == label
        assert second.label != label
        assert first.body_bytes == 0

    @pytest.mark.parametrize("ends_aborted", [True, False])
    def test_one_that_is_under_way_is_waited_for(
        self, warehouse: DorisWarehouse, own_double: DorisDouble, label: str, ends_aborted: bool
    ) -> None:
        transactions = own_double.transactions
        other = transactions.begin("dicom", label, 600)
        other.hidden_polls, other.ends_aborted = 3, ends_aborted
        if not ends_aborted:
            transactions.commit(other, hidden_polls=3)
        assert load(warehouse) is None
        assert_settled(warehouse)
        used = [request.label for request in own_double.requests.loads() if IMAGE.name in request.path]
        assert len(used) == 2
        assert (used[0] == used[1]) == ends_aborted

    def test_one_that_waits_for_its_second_phase_is_named(
        self, warehouse: DorisWarehouse, own_double: DorisDouble, label: str
    ) -> None:
        other = own_double.transactions.begin("dicom", label, 1e9)
        other.state = State.PRECOMMITTED
        error = load(warehouse)
        assert isinstance(error, WarehouseUnavailable)
        assert label in str(error)
        assert "commit or abort" in str(error)
        own_double.transactions.abort(other)
        assert load(warehouse) is None
        assert_settled(warehouse)


def replaced(double: DorisDouble, table: TableSpec, change: Callable[[str], str]) -> None:
    """Put a table of another definition, without rows, in the place of one."""
    double.query(f"DROP TABLE `{table.name}`")
    double.query(change(sql.create_table("dicom", table, replication_num=1, buckets=1)))


def test_rows_that_one_table_refuses_leave_the_others_loaded_until_it_is_mended(
    warehouse: DorisWarehouse, own_double: DorisDouble
) -> None:
    replaced(own_double, REJECT, lambda made: re.sub(r"`path` VARCHAR\(\d+\)", "`path` VARCHAR(2)", made))
    error = load(warehouse)
    assert isinstance(error, WarehouseError)
    assert not error.transient
    assert "dicom_reject" in str(error)
    assert "2 too long (path)" in str(error)
    assert is_there(warehouse, wanted()) == [True, True, False]
    assert len([r for r in own_double.requests.loads() if REJECT.name in r.path]) == 1
    assert warehouse.read(LOAD).read_all()["run_id"].to_pylist() == ["run-1"]
    replaced(own_double, REJECT, lambda made: made)
    assert load(warehouse, "run-3") is None
    assert_settled(warehouse)


def test_a_table_that_is_gone_is_said_to_be_gone(warehouse: DorisWarehouse, own_double: DorisDouble) -> None:
    own_double.query(f"DROP TABLE `{STATE.name}`")
    error = load(warehouse)
    assert isinstance(error, WarehouseError)
    assert "not prepared" in str(error)
    assert rows_of(warehouse, IMAGE).num_rows == 4
    warehouse.prepare()
    assert load(warehouse) is None
    assert_settled(warehouse)
