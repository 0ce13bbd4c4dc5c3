"""The fast reader: headers of many files at a time, as places of values in one buffer.

Scope: batches of files (``files.py``), the walk over ordinary data sets, compiled (``_compiled.pyx``) and in pure
Python (``pure.py``), and what it notes (``noted.py``). It takes a file only where the careful walk of ``walker.py``
would go the same way without a single doubt; every other file is left to that reader. Columns are made in
``tables/columns.py``.
"""
