"""What a person at a terminal sees: progress, tables, plain lines elsewhere.

Progress goes to standard error, results to standard output; nothing is computed here.
"""
