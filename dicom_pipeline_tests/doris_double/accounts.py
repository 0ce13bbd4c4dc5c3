"""Who may connect, and what for.

Scope: accounts with a password and the kinds of privilege they have, the two ways a password is proved
(MySQL's scramble, HTTP Basic), and ``SHOW GRANTS`` as Doris has it.
"""

import base64
import binascii
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from hashlib import sha1

from dicom_pipeline_tests.doris_double.words import words


class Privilege(Enum):
    """A kind of privilege, in the order and the words of ``SHOW GRANTS``."""

    SELECT = "Select_priv"
    LOAD = "Load_priv"
    ALTER = "Alter_priv"
    CREATE = "Create_priv"
    DROP = "Drop_priv"


ALL_PRIVILEGES = frozenset(Privilege)
GRANTS_COLUMNS = words(
    "UserIdentity Comment Password Roles GlobalPrivs CatalogPrivs DatabasePrivs TablePrivs ColPrivs ResourcePrivs "
    "CloudClusterPrivs CloudStagePrivs StorageVaultPrivs WorkloadGroupPrivs ComputeGroupPrivs"
)


@dataclass(frozen=True, slots=True)
class Account:
    """A user. ``databases`` None means that its privileges are global."""

    user: str
    password: str = ""
    privileges: frozenset[Privilege] = ALL_PRIVILEGES
    databases: frozenset[str] | None = None

    @property
    def is_admin(self) -> bool:
        """Whether it may everything, everywhere."""
        return self.databases is None and self.privileges == ALL_PRIVILEGES

    def may(self, privilege: Privilege, database: str) -> bool:
        """Whether the account may do this in this database."""
        return privilege in self.privileges and (self.databases is None or database in self.databases)

    def proves(self, scramble: bytes, nonce: bytes) -> bool:
        """Whether a client of the MySQL protocol knows the password (``mysql_native_password``)."""
        if not self.password:
            return not scramble
        first = sha1(self.password.encode()).digest()
        second = sha1(nonce + sha1(first).digest()).digest()
        return scramble == bytes(a ^ b for a, b in zip(first, second, strict=True))

    def grants(self) -> tuple[str | None, ...]:
        """Return the account's row of ``SHOW GRANTS``."""
        held = ",".join(p.value for p in Privilege if p in self.privileges)
        everywhere = None if self.databases is not None else "Node_priv,Admin_priv" if self.is_admin else held or None
        of_databases = [f"internal.{name}: {held}" for name in sorted(self.databases or ())] if held else []
        databases = "; ".join(
            ["internal.information_schema: Select_priv", "internal.mysql: Select_priv", *of_databases]
        )
        shown = {
            "UserIdentity": f"'{self.user}'@'%'",
            "Comment": "",
            "Password": "Yes" if self.password else "No",
            "Roles": "operator" if self.is_admin else "",
            "GlobalPrivs": everywhere,
            "DatabasePrivs": databases,
            "WorkloadGroupPrivs": "normal: Usage_priv",
        }
        return tuple(shown.get(column) for column in GRANTS_COLUMNS)


class Accounts:
    """The cluster's accounts."""

    def __init__(self, accounts: Iterable[Account]) -> None:
        self._accounts = {account.user: account for account in accounts}

    def add(self, account: Account) -> None:
        """Add an account, or put it in the place of the one of its name."""
        self._accounts[account.user] = account

    def find(self, user: str) -> Account | None:
        """Return the account of this name."""
        return self._accounts.get(user)

    def authenticated(self, authorization: str | None) -> Account | None:
        """Return the account an ``Authorization`` header proves."""
        kind, _, encoded = (authorization or "").partition(" ")
        if kind.lower() != "basic":
            return None
        try:
            user, colon, password = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return None
        account = self._accounts.get(user)
        return account if colon and account is not None and account.password == password else None
