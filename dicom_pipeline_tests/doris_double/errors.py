"""What the double says no with.

Scope: the exceptions of the SQL side and of a load; the texts are where the rules are.
"""


class DorisError(Exception):
    """An error of the SQL side, told as ``errCode = 2, detailMessage = ...`` with Doris's usual code."""

    def __init__(self, detail: str, code: int = 1105) -> None:
        super().__init__(detail)
        self.detail = detail
        self.code = code

    @property
    def message(self) -> str:
        """The message as a client sees it."""
        return f"errCode = 2, detailMessage = {self.detail}"


class SqlSyntaxError(DorisError):
    """A statement that is not understood whole."""

    def __init__(self, what: str, position: int) -> None:
        super().__init__(f"\nsyntax error(line 1, pos {position})\n\t{what}")


class LoadError(Exception):
    """A load that ends with ``Status`` Fail (or another status); ``Message`` is ``[name]text``."""

    def __init__(self, name: str, text: str, *, status: str = "Fail", existing: str | None = None) -> None:
        super().__init__(text)
        self.message = f"[{name}]{text}"
        self.status = status
        self.existing = existing
