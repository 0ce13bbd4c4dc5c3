"""The subcommands of ``dicom-pipeline``, a module for each kind of work."""
