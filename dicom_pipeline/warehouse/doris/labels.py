"""Labels of loads: what makes Doris let in one of two loads that would change the same thing.

Scope: making the text. A label belongs to one load in a database for hours, and a second load with it is refused. So
the label of a slice's change names the slice, the table and what exactly was there before: two loads that start from
the same rows have the same label, and only one of them gets in. The other reads again, and its next label is another.
No value and no tenant can be read from it.
"""

import hashlib

from dicom_pipeline.dicom.fields import TableSpec
from dicom_pipeline.warehouse.base import Slice

_PREFIX = "dicom-pipeline"


def change_label(table: TableSpec, target: Slice, before: str, turn: int) -> str:
    """Return the label of a change of the slice, at most 128 of ``A-Z a-z 0-9 - _ :``.

    Args:
        table: The table.
        target: The slice.
        before: What tells apart the state that the change was made from.
        turn: How often before this call saw that state's label taken: a state may come back, a label can not.
    """
    state = hashlib.blake2b(f"{target.tenant_id}\0{before}".encode(), digest_size=12).hexdigest()
    return f"{_PREFIX}:{table.name}:{target.date.isoformat().replace('-', '')}:{state}:{turn}"
