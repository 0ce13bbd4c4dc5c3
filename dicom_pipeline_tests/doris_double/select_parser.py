"""Understanding queries.

Scope: ``SELECT`` and its expressions, as far as the product and its tests go: one table or one query to select from, no
joins, five functions, conditions joined by AND.
"""

from dicom_pipeline_tests.doris_double.cursor import Cursor
from dicom_pipeline_tests.doris_double.statements import (
    And,
    Call,
    ColumnRef,
    Compare,
    Expression,
    IsNull,
    Item,
    Literal,
    Order,
    Select,
    Source,
)
from dicom_pipeline_tests.doris_double.tokens import RESERVED, Kind

FUNCTIONS = frozenset({"count", "sum", "min", "max", "max_by", "coalesce"})
_COMPARISONS = ("=", "<>", "!=", "<=", ">=", "<", ">")


def parse_select(cursor: Cursor) -> Select:
    """Take a query, from its first word on."""
    cursor.expect("SELECT")
    distinct = cursor.accept("DISTINCT")
    items = cursor.listed(lambda: _item(cursor))
    cursor.expect("FROM")
    source = _source(cursor)
    where = condition(cursor) if cursor.accept("WHERE") else None
    group_by = cursor.listed(lambda: _operand(cursor)) if cursor.accept("GROUP", "BY") else ()
    having = condition(cursor) if cursor.accept("HAVING") else None
    order_by = cursor.listed(lambda: _order(cursor)) if cursor.accept("ORDER", "BY") else ()
    limit = cursor.number() if cursor.accept("LIMIT") else None
    return Select(items, source, distinct, where, group_by, having, order_by, limit)


def condition(cursor: Cursor) -> Expression:
    """Take a condition: comparisons and tests for NULL, joined by AND."""
    terms = [_comparison(cursor)]
    while cursor.accept("AND"):
        terms.append(_comparison(cursor))
    return terms[0] if len(terms) == 1 else And(tuple(terms))


def _item(cursor: Cursor) -> Item:
    if cursor.accept("*"):
        return Item(None, "*")
    start = cursor.next
    expression = _operand(cursor)
    said = expression.name if isinstance(expression, ColumnRef) else cursor.since(start)
    return Item(expression, cursor.name() if cursor.accept("AS") else said)


def _source(cursor: Cursor) -> Source:
    if cursor.accept("("):
        query = parse_select(cursor)
        cursor.expect(")")
        cursor.accept("AS")
        cursor.name()
        return Source(query=query)
    table = cursor.table()
    temporary = cursor.accept("TEMPORARY")
    partitions: tuple[str, ...] = ()
    if temporary or cursor.at("PARTITION"):
        cursor.expect("PARTITION")
        partitions = cursor.bracketed(cursor.name)
    return Source(table, partitions=partitions, temporary=temporary)


def _comparison(cursor: Cursor) -> Expression:
    left = _operand(cursor)
    if cursor.accept("IS"):
        negated = cursor.accept("NOT")
        cursor.expect("NULL")
        return IsNull(left, negated)
    for operator in _COMPARISONS:
        if cursor.accept(operator):
            return Compare("<>" if operator == "!=" else operator, left, _operand(cursor))
    return cursor.refuse()


def _operand(cursor: Cursor) -> Expression:
    if cursor.next.kind is Kind.TEXT:
        return Literal(cursor.text())
    if cursor.next.kind is Kind.NUMBER:
        return Literal(cursor.number())
    if cursor.accept("NULL"):
        return Literal(None)
    if cursor.next.kind is Kind.WORD and cursor.next.text.upper() in RESERVED:
        cursor.refuse()
    quoted = cursor.next.kind is Kind.NAME
    name = cursor.name()
    if not quoted and cursor.at("("):
        return _call(cursor, name.lower())
    return ColumnRef(name)


def _call(cursor: Cursor, function: str) -> Call:
    if function not in FUNCTIONS:
        cursor.refuse()
    cursor.expect("(")
    if function == "count":
        cursor.expect("*", ")")
        return Call(function, (), star=True)
    arguments = cursor.listed(lambda: _operand(cursor))
    if function != "coalesce" and len(arguments) != (2 if function == "max_by" else 1):
        cursor.refuse()
    cursor.expect(")")
    return Call(function, arguments)


def _order(cursor: Cursor) -> Order:
    expression = _operand(cursor)
    descending = cursor.accept("DESC")
    if not descending:
        cursor.accept("ASC")
    nulls_first = not descending
    if cursor.accept("NULLS"):
        nulls_first = cursor.accept("FIRST")
        if not nulls_first:
            cursor.expect("LAST")
    return Order(expression, descending, nulls_first)
