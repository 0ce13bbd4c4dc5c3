"""Why Doris refused rows: which columns, how often, of what kind; never what was in them.

Scope: the text behind an ErrorURL. It repeats the refused rows, so of it only numbers are kept, and names of columns
that we have sent ourselves.
"""

import re
from collections import Counter
from collections.abc import Collection

# "Reason: column_name[c], the length of input is too long ... src line [row]", one entry a line and more in the row.
_ENTRY = re.compile(r"^Reason: (.*?)(?:\. src line \[|$)", re.MULTILINE)
_COLUMN = re.compile(r"column(?:_name)? ?[(\[]`?([A-Za-z0-9_]{1,256})`?[)\]]")
# In this order: what comes first is followed by values, in which the others may occur.
_KINDS = {
    "too long": re.compile(r"too long"),
    "without a partition": re.compile(r"no partition"),
    "not convertible": re.compile(r"incorrect while strict|convert|pars(?:e|ing)|invalid (?:value|date|number)", re.I),
    "NULL": re.compile(r"(?:is|are) null|null value|not nullable", re.I),
}
_OTHER = "of another kind"


def describe_rejected(text: str, columns: Collection[str]) -> str:
    """Return a phrase such as ``2 too long (patient_name), 1 NULL (sop_instance_uid)``, empty if nothing is known.

    Args:
        text: The beginning of the log of a load's refused rows.
        columns: The names that may be repeated.
    """
    counts: Counter[str] = Counter()
    named: dict[str, set[str]] = {}
    for entry in _ENTRY.findall(text):
        kind = next((kind for kind, words in _KINDS.items() if words.search(entry)), _OTHER)
        counts[kind] += 1
        # The name stands before any value.
        if (found := _COLUMN.search(entry)) and found[1] in columns:
            named.setdefault(kind, set()).add(found[1])
    return ", ".join(f"{count} {kind}{_in_brackets(named.get(kind, ()))}" for kind, count in counts.most_common())


def _in_brackets(names: Collection[str]) -> str:
    return f" ({', '.join(sorted(names))})" if names else ""
