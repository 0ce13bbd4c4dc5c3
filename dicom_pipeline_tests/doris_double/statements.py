"""What a statement says, once it is understood.

Scope: plain data for each form of statement and of expression the double understands; ``ddl_parser.py`` and
``parser.py`` make them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dicom_pipeline_tests.doris_double.values import ColumnType


@dataclass(frozen=True, slots=True)
class Name:
    """A table's name, with its database where the statement says it."""

    name: str
    database: str | None = None


@dataclass(frozen=True, slots=True)
class ColumnRef:
    name: str


@dataclass(frozen=True, slots=True)
class Literal:
    value: str | int | None


@dataclass(frozen=True, slots=True)
class Call:
    """A function; ``star`` is ``count(*)``."""

    function: str
    arguments: tuple["Expression", ...]
    star: bool = False


@dataclass(frozen=True, slots=True)
class Compare:
    operator: str
    left: "Expression"
    right: "Expression"


@dataclass(frozen=True, slots=True)
class IsNull:
    tested: "Expression"
    negated: bool


@dataclass(frozen=True, slots=True)
class And:
    terms: tuple["Expression", ...]


Expression = ColumnRef | Literal | Call | Compare | IsNull | And


@dataclass(frozen=True, slots=True)
class Item:
    """A column of a result; None in place of an expression is ``*``."""

    expression: Expression | None
    alias: str
    """The text of the expression where the statement names nothing."""


@dataclass(frozen=True, slots=True)
class Order:
    expression: Expression
    descending: bool
    nulls_first: bool


@dataclass(frozen=True, slots=True)
class Source:
    """What is selected from: a table (and partitions of it), or a query."""

    table: Name | None = None
    query: "Select | None" = None
    partitions: tuple[str, ...] = ()
    temporary: bool = False


@dataclass(frozen=True, slots=True)
class Select:
    items: tuple[Item, ...]
    source: Source | None
    distinct: bool = False
    where: Expression | None = None
    group_by: tuple[Expression, ...] = ()
    having: Expression | None = None
    order_by: tuple[Order, ...] = ()
    limit: int | None = None


@dataclass(frozen=True, slots=True)
class ColumnDefinition:
    name: str
    type: ColumnType
    nullable: bool
    comment: str


@dataclass(frozen=True, slots=True)
class RangeDefinition:
    """A partition as the statement has it: texts, None for MAXVALUE."""

    name: str
    start: str
    end: str | None


@dataclass(frozen=True, slots=True)
class CreateDatabase:
    name: str
    if_not_exists: bool


@dataclass(frozen=True, slots=True)
class CreateTable:
    name: Name
    if_not_exists: bool
    columns: tuple[ColumnDefinition, ...]
    key_kind: str | None = None
    key: tuple[str, ...] = ()
    comment: str = ""
    partition_column: str | None = None
    partitions: tuple[RangeDefinition, ...] = ()
    hash_columns: tuple[str, ...] = ()
    buckets: int = 10
    properties: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CreateView:
    name: Name
    query: Select


@dataclass(frozen=True, slots=True)
class Drop:
    """``DROP TABLE``, ``DROP VIEW`` or ``DROP DATABASE``."""

    what: str
    name: Name
    if_exists: bool


@dataclass(frozen=True, slots=True)
class AlterColumn:
    """``ADD``, ``MODIFY`` or ``DROP`` of a column; the definition is only a name for ``DROP``."""

    table: Name
    action: str
    name: str
    definition: ColumnDefinition | None = None


@dataclass(frozen=True, slots=True)
class AddPartition:
    table: Name
    partition: RangeDefinition
    if_not_exists: bool
    temporary: bool


@dataclass(frozen=True, slots=True)
class DropPartition:
    table: Name
    name: str
    if_exists: bool
    temporary: bool


@dataclass(frozen=True, slots=True)
class ReplacePartition:
    table: Name
    partitions: tuple[str, ...]
    temporary: tuple[str, ...]
    properties: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Delete:
    table: Name
    where: Expression


@dataclass(frozen=True, slots=True)
class Show:
    """``SHOW what``, of a place, where one column is a text, the latest first if ``latest``."""

    what: str
    place: Name | None = None
    column: str | None = None
    equals: str | None = None
    limit: int | None = None


@dataclass(frozen=True, slots=True)
class SetVariables:
    """``SET``: variables and values; ``SET NAMES`` has none."""

    values: tuple[tuple[str, Any], ...]


@dataclass(frozen=True, slots=True)
class SystemSelect:
    """``SELECT @@a``, ``SELECT VERSION()``, ``SELECT DATABASE()`` or a number: no table is asked."""

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Simple:
    """``SYNC``, ``BEGIN``, ``COMMIT`` or ``ROLLBACK``."""

    what: str


@dataclass(frozen=True, slots=True)
class Use:
    database: str


Statement = (
    Select
    | CreateDatabase
    | CreateTable
    | CreateView
    | Drop
    | AlterColumn
    | AddPartition
    | DropPartition
    | ReplacePartition
    | Delete
    | Show
    | SetVariables
    | SystemSelect
    | Simple
    | Use
)
