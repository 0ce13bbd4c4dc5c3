"""Expressions as functions.

Scope: names are resolved and types are checked once; what comes out is a function of a row, or of a group's rows.
"""

import datetime as dt
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from dicom_pipeline_tests.doris_double.errors import DorisError
from dicom_pipeline_tests.doris_double.statements import (
    And,
    Call,
    ColumnRef,
    Compare,
    Expression,
    IsNull,
    Literal,
)
from dicom_pipeline_tests.doris_double.values import ColumnType, Unconvertible, convert

AGGREGATES = frozenset({"count", "sum", "min", "max", "max_by"})
_BIGINT = ColumnType("BIGINT")
_DOUBLE = ColumnType("DOUBLE")
_COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "<>": operator.ne,
    "<": operator.lt,
    ">": operator.gt,
    "<=": operator.le,
    ">=": operator.ge,
}


@dataclass(frozen=True, slots=True)
class Scope:
    """The columns an expression may name; with ``grouped_by``, values are of groups."""

    columns: tuple[tuple[str, ColumnType], ...]
    grouped_by: tuple[Expression, ...] | None = None

    def position(self, name: str) -> int:
        """Return where the column stands."""
        for position, (column, _) in enumerate(self.columns):
            if column.lower() == name.lower():
                return position
        raise DorisError(f"Unknown column '{name}' in 'table list'")


@dataclass(frozen=True, slots=True)
class Value:
    """A function of a row (or group), and its type."""

    get: Callable[[Any], Any]
    type: ColumnType


def is_aggregate(expression: Expression | None) -> bool:
    """Whether the expression is of many rows."""
    if not isinstance(expression, Call):
        return False
    return expression.function in AGGREGATES or any(map(is_aggregate, expression.arguments))


def value_of(expression: Expression | None, scope: Scope) -> Value:
    """Return the expression as a function."""
    if isinstance(expression, ColumnRef):
        return _column(expression, scope)
    if isinstance(expression, Literal):
        literal = expression.value
        return Value(lambda row: literal, ColumnType("VARCHAR", 65533) if isinstance(literal, str) else _BIGINT)
    if isinstance(expression, Call) and expression.function in AGGREGATES:
        return _aggregate(expression, scope)
    if isinstance(expression, Call):
        return _coalesce(expression, scope)
    raise DorisError("the double knows no conditions among values")


def predicate(expression: Expression, scope: Scope) -> Callable[[Any], bool]:
    """Return a condition as a function; what is unknown (NULL) does not hold."""
    if isinstance(expression, And):
        terms = [predicate(term, scope) for term in expression.terms]
        return lambda row: all(term(row) for term in terms)
    if isinstance(expression, IsNull):
        tested, negated = value_of(expression.tested, scope), expression.negated
        return lambda row: (tested.get(row) is None) != negated
    if isinstance(expression, Compare):
        return _comparison(expression, scope)
    raise DorisError("a condition is wanted")


def _comparison(expression: Compare, scope: Scope) -> Callable[[Any], bool]:
    left, right = _of_one_kind(expression, scope)
    compare = _COMPARE[expression.operator]

    def holds(row: Any) -> bool:
        one, other = left.get(row), right.get(row)
        return one is not None and other is not None and compare(one, other)

    return holds


def _of_one_kind(expression: Compare, scope: Scope) -> tuple[Value, Value]:
    left, right = value_of(expression.left, scope), value_of(expression.right, scope)
    if isinstance(expression.right, Literal):
        right = _literal_as(expression.right, left.type)
    elif isinstance(expression.left, Literal):
        left = _literal_as(expression.left, right.type)
    if _kind(left.type) != _kind(right.type):
        raise DorisError(f"the double does not compare {left.type.name} and {right.type.name}")
    return left, right


def _kind(column: ColumnType) -> str:
    if column.is_text:
        return "text"
    return column.name if column.name in ("DATE", "DATETIME") else "number"


def _literal_as(literal: Literal, column: ColumnType) -> Value:
    if column.is_text != isinstance(literal.value, str) and _kind(column) != column.name:
        raise DorisError(f"the double does not compare {column.name} with {literal.value!r}")
    try:
        value = convert(literal.value, column, dt.UTC)
    except Unconvertible:
        raise DorisError(f"Can not convert {literal.value!r} to {column.name}") from None
    return Value(lambda row: value, column)


def _column(expression: ColumnRef, scope: Scope) -> Value:
    position = scope.position(expression.name)
    column = scope.columns[position][1]
    if scope.grouped_by is None:
        return Value(operator.itemgetter(position), column)
    if not any(isinstance(by, ColumnRef) and scope.position(by.name) == position for by in scope.grouped_by):
        raise DorisError(
            f"PROJECT expression '{expression.name}' must appear in the GROUP BY clause or be used in an"
            " aggregate function"
        )
    return Value(lambda group: group[0][position], column)


def _aggregate(expression: Call, scope: Scope) -> Value:
    if scope.grouped_by is None:
        raise DorisError(f"{expression.function} is not allowed here")
    if expression.star:
        return Value(len, _BIGINT)
    of = value_of(expression.arguments[0], Scope(scope.columns))
    if expression.function == "max_by":
        return Value(_at_the_most(of, value_of(expression.arguments[1], Scope(scope.columns))), of.type)
    if expression.function == "sum":
        if _kind(of.type) != "number":
            raise DorisError(f"sum requires a numeric parameter: sum({of.type.name})")
        return Value(_over(of, sum), _BIGINT if of.type.is_integer else _DOUBLE)
    return Value(_over(of, min if expression.function == "min" else max), of.type)


def _at_the_most(of: Value, by: Value) -> Callable[[Any], Any]:
    def get(group: Any) -> Any:
        rows = [row for row in group if by.get(row) is not None]
        return of.get(max(rows, key=by.get)) if rows else None

    return get


def _over(of: Value, aggregate: Callable[[list[Any]], Any]) -> Callable[[Any], Any]:
    def get(group: Any) -> Any:
        values = [value for value in map(of.get, group) if value is not None]
        return aggregate(values) if values else None

    return get


def _coalesce(expression: Call, scope: Scope) -> Value:
    values = [value_of(argument, scope) for argument in expression.arguments]
    if len({_kind(value.type) for value in values}) > 1:
        raise DorisError("the double knows coalesce only of values of one kind")

    def get(row: Any) -> Any:
        return next((found for value in values if (found := value.get(row)) is not None), None)

    return Value(get, values[0].type)
