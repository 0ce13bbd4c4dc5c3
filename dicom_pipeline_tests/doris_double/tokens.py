"""A statement as tokens.

Scope: words, quoted names, texts, numbers and signs, as ``DorisLexer.g4`` has them; nothing is skipped but white space,
so that a comment or any other unknown sign is a syntax error.
"""

import re
from enum import Enum
from typing import NamedTuple

from dicom_pipeline_tests.doris_double.errors import SqlSyntaxError
from dicom_pipeline_tests.doris_double.words import words

_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_NUMBER = re.compile(r"\d+(?![A-Za-z0-9_.])")
_SIGNS = ("<>", "!=", "<=", ">=", "@@", "(", ")", ",", ".", "=", "<", ">", "*", "[", ";")
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "0": "\0", "Z": "\x1a"}

RESERVED = frozenset(
    words("""
    ADD ALL ALTER ANALYZE AND ANTI AS ASC BETWEEN BIGINT BINARY BITMAP BOOLEAN BY CASE CAST CHAR CHECK COLUMN
    CONSTRAINT CREATE CROSS CUBE CURRENT_USER DATABASE DATABASES DECIMAL DEFAULT DELETE DESC DESCRIBE DISTINCT
    DISTRIBUTED DIV DOUBLE DROP ELSE EXCEPT EXISTS EXPLAIN EXPORT FALSE FLOAT FOLLOWER FOR FOREIGN FROM FULL FUNCTION
    GRANT GROUP GROUPING HAVING HIGH_PRIORITY IN INDEX INFILE INNER INSERT INT INTEGER INTERSECT INTERVAL INTO IS JOIN
    KEY KEYS KILL LARGEINT LATERAL LEFT LIKE LIMIT LOAD LOW_PRIORITY MATCH MINUS MODEL NATURAL NOT NULL OBSERVER ON OR
    ORDER OUTER OUTFILE OVER PARTITION PLACEHOLDER PRECEDING PRIMARY PROCEDURE RANGE READ REGEXP RELEASE RENAME REPLACE
    REVOKE RIGHT ROW ROWS SCHEMA SELECT SEMI SET SETS SHOW SMALLINT SYNC SYSTEM TABLE TABLESAMPLE TABLET
    TERMINATED THEN TINYINT TO TRIGGER TRUE TRUNCATE UNBOUNDED UNION UNIQUE UNSIGNED UPDATE USE USING VALUES VARCHAR
    WHEN WHERE WHITELIST WITH WORK WRITE
    """)
)
"""Words that are no names unless they are quoted: those of ``DorisLexer.g4`` that ``nonReserved`` lacks."""


class Kind(Enum):
    WORD = "word"
    NAME = "name"
    TEXT = "text"
    NUMBER = "number"
    SIGN = "sign"
    END = "end"


class Token(NamedTuple):
    kind: Kind
    text: str
    position: int


def tokens(sql: str, *, backslash_escapes: bool = True) -> list[Token]:
    """Return the statement's tokens, the last of them the end."""
    found: list[Token] = []
    at = 0
    while at < len(sql):
        if sql[at].isspace():
            at += 1
            continue
        token, at = _token(sql, at, backslash_escapes)
        found.append(token)
    return [*found, Token(Kind.END, "", len(sql))]


def _token(sql: str, at: int, backslash_escapes: bool) -> tuple[Token, int]:
    if sql[at] in "'\"":
        text, end = _quoted(sql, at, backslash_escapes)
        return Token(Kind.TEXT, text, at), end
    if sql[at] == "`":
        text, end = _quoted(sql, at, backslash_escapes=False)
        return Token(Kind.NAME, text, at), end
    if match := _WORD.match(sql, at):
        return Token(Kind.WORD, match[0], at), match.end()
    if match := _NUMBER.match(sql, at):
        return Token(Kind.NUMBER, match[0], at), match.end()
    for sign in _SIGNS:
        if sql.startswith(sign, at):
            return Token(Kind.SIGN, sign, at), at + len(sign)
    raise SqlSyntaxError(f"extraneous input '{sql[at]}'", at)


def _quoted(sql: str, start: int, backslash_escapes: bool) -> tuple[str, int]:
    quote, at, parts = sql[start], start + 1, []
    while at < len(sql):
        sign = sql[at]
        if sign == quote:
            if not sql.startswith(quote, at + 1):
                return "".join(parts), at + 1
            at += 1
        elif sign == "\\" and backslash_escapes and at + 1 < len(sql):
            at += 1
            sign = _ESCAPES.get(sql[at], "\\" + sql[at] if sql[at] in "%_" else sql[at])
        parts.append(sign)
        at += 1
    raise SqlSyntaxError(f"{quote} is not closed", start)
