"""Walking over a statement's tokens.

Scope: what every parser of the double is made of: looking at a token, taking a word, a name, a text, a list.
"""

from collections.abc import Callable
from typing import NoReturn, TypeVar

from dicom_pipeline_tests.doris_double.errors import SqlSyntaxError
from dicom_pipeline_tests.doris_double.statements import Name
from dicom_pipeline_tests.doris_double.tokens import RESERVED, Kind, Token, tokens

T = TypeVar("T")


class Cursor:
    """A place in a statement; every ``take`` moves it or is a syntax error."""

    def __init__(self, sql: str, *, backslash_escapes: bool = True) -> None:
        self.sql = sql
        self._tokens = tokens(sql, backslash_escapes=backslash_escapes)
        self._at = 0

    @property
    def next(self) -> Token:
        """The token that comes next."""
        return self._tokens[self._at]

    def refuse(self) -> NoReturn:
        """Say that the next token is not understood."""
        raise SqlSyntaxError(f"mismatched input '{self.next.text}'", self.next.position)

    def advance(self) -> Token:
        """Take whatever comes next."""
        token = self.next
        self._at += 1
        return token

    def at(self, *words: str) -> bool:
        """Whether these words (or signs) come next."""
        ahead = self._tokens[self._at : self._at + len(words)]
        return len(ahead) == len(words) and all(map(_is, ahead, words))

    def accept(self, *words: str) -> bool:
        """Take these words if they come next."""
        there = self.at(*words)
        self._at += len(words) if there else 0
        return there

    def expect(self, *words: str) -> None:
        """Take these words, which must come next."""
        for word in words:
            if not self.accept(word):
                self.refuse()

    def take(self, kind: Kind) -> str:
        """Take a token of this kind."""
        if self.next.kind is not kind:
            self.refuse()
        return self.advance().text

    def text(self) -> str:
        """Take a text."""
        return self.take(Kind.TEXT)

    def number(self) -> int:
        """Take a whole number."""
        return int(self.take(Kind.NUMBER))

    def name(self) -> str:
        """Take a name: quoted, or a word that is not reserved."""
        if self.next.kind is Kind.WORD and self.next.text.upper() not in RESERVED:
            return self.advance().text
        return self.take(Kind.NAME)

    def table(self) -> Name:
        """Take a table's name, with or without its database."""
        first = self.name()
        return Name(self.name(), first) if self.accept(".") else Name(first)

    def listed(self, item: Callable[[], T]) -> tuple[T, ...]:
        """Take one or more, with commas between."""
        found = [item()]
        while self.accept(","):
            found.append(item())
        return tuple(found)

    def bracketed(self, item: Callable[[], T]) -> tuple[T, ...]:
        """Take one or more in parentheses."""
        self.expect("(")
        found = self.listed(item)
        self.expect(")")
        return found

    def properties(self) -> dict[str, str]:
        """Take ``("name" = "value", ...)``."""
        return dict(self.bracketed(self._property))

    def _property(self) -> tuple[str, str]:
        name = self.text()
        self.expect("=")
        return name, self.text()

    def end(self) -> None:
        """Take the end; one semicolon may stand before it."""
        self.accept(";")
        if self.next.kind is not Kind.END:
            self.refuse()

    def since(self, start: Token) -> str:
        """Return the statement's text from a token to here."""
        return self.sql[start.position : self.next.position].strip()


def _is(token: Token, word: str) -> bool:
    return token.kind in (Kind.WORD, Kind.SIGN, Kind.NUMBER) and token.text.upper() == word
