"""Extraction: headers of the same files through peers and through ours, at what cost and with what values."""
