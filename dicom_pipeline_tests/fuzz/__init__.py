"""The differential fuzzer: both scanners against the careful reader, on files nobody has seen before.

Scope: making files (``generate.py``, ``seeds.py``), damaging them (``mutate.py``), comparing what the readers make of
them (``compare.py``), and the command that does so for some minutes (``make fuzz``). Tests use the same parts.
"""
