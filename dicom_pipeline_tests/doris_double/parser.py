"""Understanding a statement whole, or not at all.

Scope: which form of statement it is, and the small ones: SET, SHOW, SYNC, USE, DELETE, what clients ask at connect.
Whatever is not understood to its last token is a syntax error; no text is ever passed on.
"""

from collections.abc import Callable, Mapping
from typing import Any

from dicom_pipeline_tests.doris_double.cursor import Cursor
from dicom_pipeline_tests.doris_double.ddl_parser import parse_alter, parse_create, parse_drop
from dicom_pipeline_tests.doris_double.select_parser import condition, parse_select
from dicom_pipeline_tests.doris_double.statements import (
    Delete,
    Name,
    SetVariables,
    Show,
    Simple,
    Statement,
    SystemSelect,
    Use,
)
from dicom_pipeline_tests.doris_double.tokens import Kind


def parse(sql: str, *, backslash_escapes: bool = True) -> Statement:
    """Return what the statement says.

    Raises:
        SqlSyntaxError: Some part of it is not understood.
    """
    cursor = Cursor(sql, backslash_escapes=backslash_escapes)
    first = cursor.next.text.upper() if cursor.next.kind is Kind.WORD else ""
    if first not in _STATEMENTS:
        cursor.refuse()
    statement = _STATEMENTS[first](cursor)
    cursor.end()
    return statement


def _select(cursor: Cursor) -> Statement:
    if cursor.at("SELECT", "@@") or cursor.at("SELECT", "VERSION", "(") or cursor.at("SELECT", "DATABASE", "("):
        return _system_select(cursor)
    if cursor.accept("SELECT", "1"):
        return SystemSelect(("1",))
    return parse_select(cursor)


def _system_select(cursor: Cursor) -> SystemSelect:
    cursor.expect("SELECT")
    return SystemSelect(cursor.listed(lambda: _system_item(cursor)))


def _system_item(cursor: Cursor) -> str:
    if cursor.accept("@@"):
        if cursor.accept("SESSION") or cursor.accept("GLOBAL"):
            cursor.expect(".")
        return "@@" + cursor.take(Kind.WORD).lower()
    for function in ("VERSION", "DATABASE"):
        if cursor.accept(function, "(", ")"):
            return f"{function}()"
    return cursor.refuse()


def _set(cursor: Cursor) -> SetVariables:
    cursor.expect("SET")
    if cursor.accept("NAMES"):
        cursor.advance() if cursor.next.kind in (Kind.WORD, Kind.TEXT) else cursor.refuse()
        return SetVariables(())
    cursor.accept("SESSION")
    return SetVariables(cursor.listed(lambda: _assignment(cursor)))


def _assignment(cursor: Cursor) -> tuple[str, Any]:
    name = cursor.take(Kind.WORD).lower()
    cursor.expect("=")
    if cursor.next.kind is Kind.NUMBER:
        return name, cursor.number()
    return name, cursor.take(Kind.WORD) if cursor.next.kind is Kind.WORD else cursor.text()


def _show(cursor: Cursor) -> Show:
    cursor.expect("SHOW")
    for what in ("FRONTENDS", "BACKENDS", "GRANTS"):
        if cursor.accept(what):
            return Show(what)
    if cursor.accept("ALTER", "TABLE", "COLUMN"):
        return _show_alter(cursor)
    temporary = cursor.accept("TEMPORARY")
    cursor.expect("PARTITIONS", "FROM")
    place = cursor.table()
    what = "TEMPORARY PARTITIONS" if temporary else "PARTITIONS"
    return Show(what, place, *_where(cursor, "PARTITIONNAME"))


def _show_alter(cursor: Cursor) -> Show:
    place = Name("", cursor.name()) if cursor.accept("FROM") else None
    column, equals = _where(cursor, "TABLENAME")
    if cursor.accept("ORDER"):
        cursor.expect("BY", "CREATETIME", "DESC")
    limit = cursor.number() if cursor.accept("LIMIT") else None
    return Show("ALTER", place, column, equals, limit)


def _where(cursor: Cursor, column: str) -> tuple[str | None, str | None]:
    if not cursor.accept("WHERE"):
        return None, None
    cursor.expect(column, "=")
    return column, cursor.text()


def _delete(cursor: Cursor) -> Delete:
    cursor.expect("DELETE", "FROM")
    table = cursor.table()
    cursor.expect("WHERE")
    return Delete(table, condition(cursor))


def _use(cursor: Cursor) -> Use:
    cursor.expect("USE")
    return Use(cursor.name())


def _begin(cursor: Cursor) -> Simple:
    cursor.expect("BEGIN")
    if cursor.accept("WITH", "LABEL"):
        cursor.name()
    return Simple("BEGIN")


def _word(cursor: Cursor) -> Simple:
    return Simple(cursor.advance().text.upper())


_STATEMENTS: Mapping[str, Callable[[Cursor], Statement]] = {
    "SELECT": _select,
    "SET": _set,
    "SHOW": _show,
    "DELETE": _delete,
    "USE": _use,
    "CREATE": parse_create,
    "DROP": parse_drop,
    "ALTER": parse_alter,
    "BEGIN": _begin,
    "SYNC": _word,
    "COMMIT": _word,
    "ROLLBACK": _word,
}
