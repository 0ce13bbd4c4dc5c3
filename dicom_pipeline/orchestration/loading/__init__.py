"""Dates become rows: the operation that takes the dates of a run, its checks, and the load from a shell."""
