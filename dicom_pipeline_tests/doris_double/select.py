"""Answering queries.

Scope: a query over one relation (a table's rows, a view's, another query's) as Python functions over tuples. Texts are
compared and sorted by code point, which is by their UTF-8 bytes; ``ONLY_FULL_GROUP_BY`` always holds.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from dicom_pipeline_tests.doris_double.errors import DorisError
from dicom_pipeline_tests.doris_double.expressions import Scope, Value, is_aggregate, predicate, value_of
from dicom_pipeline_tests.doris_double.statements import ColumnRef, Item, Order, Select, Source
from dicom_pipeline_tests.doris_double.values import ColumnType

Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Relation:
    """Named and typed columns, and rows."""

    columns: tuple[tuple[str, ColumnType], ...]
    rows: Sequence[Row]


def select(query: Select, relation_of: Callable[[Source], Relation]) -> Relation:
    """Return the result of a query; ``relation_of`` gives what is selected from, unless it is a query itself."""
    assert query.source is not None
    inner = query.source.query
    source = select(inner, relation_of) if inner is not None else relation_of(query.source)
    scope = Scope(source.columns)
    rows = source.rows
    if query.where is not None:
        holds = predicate(query.where, scope)
        rows = [row for row in rows if holds(row)]
    items = _named_items(query.items, source)
    if query.group_by or query.having or any(is_aggregate(item.expression) for item in items):
        return _grouped(query, items, scope, rows)
    return _plain(query, items, scope, rows)


def _named_items(items: tuple[Item, ...], source: Relation) -> list[Item]:
    named: list[Item] = []
    for item in items:
        if item.expression is None:
            named += (Item(ColumnRef(name), name) for name, _ in source.columns)
        else:
            named.append(item)
    return named


def _plain(query: Select, items: list[Item], scope: Scope, rows: Sequence[Row]) -> Relation:
    if not query.distinct:
        rows = _ordered(rows, query.order_by, scope)[: query.limit]
    values = [value_of(item.expression, scope) for item in items]
    made = list(zip(*(map(value.get, rows) for value in values), strict=True)) if rows else []
    result = Relation(_columns(items, values), made)
    return _distinct(query, result) if query.distinct else result


def _distinct(query: Select, result: Relation) -> Relation:
    rows = list(dict.fromkeys(result.rows))
    return Relation(result.columns, _ordered(rows, query.order_by, Scope(result.columns))[: query.limit])


def _grouped(query: Select, items: list[Item], scope: Scope, rows: Sequence[Row]) -> Relation:
    if query.distinct:
        raise DorisError("the double knows no DISTINCT over groups")
    keys = [value_of(expression, scope) for expression in query.group_by]
    groups: dict[Row, list[Row]] = {} if keys else {(): list(rows)}
    for row in rows if keys else ():
        groups.setdefault(tuple(key.get(row) for key in keys), []).append(row)
    grouped = Scope(scope.columns, grouped_by=query.group_by)
    values = [value_of(item.expression, grouped) for item in items]
    found: Sequence[Any] = list(groups.values())
    if query.having is not None:
        holds = predicate(query.having, grouped)
        found = [group for group in found if holds(group)]
    found = _ordered(found, query.order_by, grouped)[: query.limit]
    return Relation(_columns(items, values), [tuple(value.get(group) for value in values) for group in found])


def _columns(items: list[Item], values: list[Value]) -> tuple[tuple[str, ColumnType], ...]:
    return tuple((item.alias, value.type) for item, value in zip(items, values, strict=True))


def _ordered(rows: Sequence[Any], order_by: tuple[Order, ...], scope: Scope) -> Sequence[Any]:
    for order in reversed(order_by):
        rows = sorted(rows, key=_sort_key(order, scope), reverse=order.descending)
    return rows


def _sort_key(order: Order, scope: Scope) -> Callable[[Any], Any]:
    value = value_of(order.expression, scope)
    null_first_in_sort = order.nulls_first != order.descending
    low, high = (0, 1) if null_first_in_sort else (1, 0)

    def key(row: Any) -> tuple[int, Any]:
        found = value.get(row)
        return (low, 0) if found is None else (high, found)

    return key
