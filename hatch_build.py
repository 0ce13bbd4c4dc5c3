"""Compile the walker of headers while the project is built, where that can be done.

Scope: one optional extension module, added to what hatchling packs. Without a C compiler or Python's headers the build
goes on without it, and so does everything that is built: the walk in pure Python takes its place.
"""

import os
import shutil
import sysconfig
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hatchling.builders.config import BuilderConfig
from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from setuptools import Distribution, Extension

MODULE = "dicom_pipeline.dicom.scanner._compiled"
SOURCE = Path(*MODULE.split(".")).with_suffix(".pyx")
COMPILED = SOURCE.with_suffix(sysconfig.get_config_var("EXT_SUFFIX"))
LEFT_OUT = f"{MODULE} is left out: no C compiler or no headers of Python; headers are walked in pure Python, slower"


class CompiledWalker(BuildHookInterface[BuilderConfig]):
    """Adds the compiled walker to a wheel, or lays it beside its source where the project is installed editable.

    The environment variable DICOM_PIPELINE_PURE=1 leaves it out. A wheel without it is one for every platform.
    """

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile before hatchling looks for files; ``version`` is "standard" or "editable".

        Raises:
            Cython.Compiler.Errors.CompileError: The source is wrong, which no missing compiler excuses.
        """
        editable = version == "editable"
        if editable:
            (Path(self.root) / COMPILED).unlink(missing_ok=True)  # of an older source, should it not compile now
        if os.environ.get("DICOM_PIPELINE_PURE", "0") not in ("", "0"):
            return
        self._folder = TemporaryDirectory()
        compiled = compile_walker(self._folder.name)
        if compiled is None:
            self.app.display_warning(LEFT_OUT)
            return
        build_data.update(pure_python=False, infer_tag=True)
        if editable:
            shutil.copy(compiled, Path(self.root) / COMPILED)
        else:
            build_data["force_include"][str(compiled)] = COMPILED.as_posix()

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Delete what was compiled, once it is packed."""
        if hasattr(self, "_folder"):
            self._folder.cleanup()


def compile_walker(folder: str) -> Path | None:
    """Compile the walker below ``folder`` and return the module's file, or None where nothing can be compiled.

    No flag asks for this machine's own instructions: a wheel must run on any.
    """
    extension = Extension(
        MODULE,
        [str(SOURCE)],
        include_dirs=[str(SOURCE.parent)],
        extra_compile_args=["-O3", "-g0"],
        optional=True,
    )
    command = Distribution({"name": MODULE, "ext_modules": [extension]}).get_command_obj("build_ext")
    command.build_lib = command.build_temp = folder
    command.cython_c_in_temp = True  # Cython's build_ext, which setuptools takes where Cython is at hand
    command.ensure_finalized()
    command.run()
    compiled = Path(command.get_ext_fullpath(MODULE))
    return compiled if compiled.exists() else None
