"""Builds the modules of this folder where there is a C compiler; an installation without one goes on without them."""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

PACKAGE = "planner.compiled"
FLAGS = [] if sys.platform == "win32" else ["-O3", "-g0"]  # CPython's own flags would keep what debuggers read


class CompiledHook(BuildHookInterface):
    """Puts the built modules into a wheel, or beside their sources where the project is installed to be edited."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build, and say so where that fails."""
        if self.target_name != "wheel":
            return
        folder = Path(self.root, *PACKAGE.split("."))
        out = folder if version == "editable" else Path(tempfile.mkdtemp(prefix="planner-"))
        try:
            built = build(folder, out)
        except Exception as error:  # noqa: BLE001 - whatever keeps a compiler from its work
            self.app.display_warning(f"not compiled, plans will take longer ({type(error).__name__}: {error})")
            return
        build_data["pure_python"], build_data["infer_tag"] = False, True
        build_data["force_include"] |= {str(path): f"{PACKAGE.replace('.', '/')}/{path.name}" for path in built}


def build(folder: Path, out: Path) -> list[Path]:
    """Build the modules of `folder` into `out`; gives their files."""
    from Cython.Build import cythonize  # noqa: PLC0415 - as late as the failure is told
    from setuptools import Distribution, Extension  # noqa: PLC0415
    from setuptools.command.build_ext import build_ext  # noqa: PLC0415

    sys.path.insert(0, str(folder.parents[1]))
    try:
        from planner.compiled import MODULES, digest_of, source_of  # noqa: PLC0415
    finally:
        sys.path.pop(0)
    with tempfile.TemporaryDirectory(prefix="planner-") as work:
        extensions = cythonize(
            [
                Extension(
                    f"{PACKAGE}.{name}",
                    [str(source_of(name))],
                    define_macros=[("PLANNER_SOURCE", f'"{digest_of(name)}"')],
                    extra_compile_args=FLAGS,
                )
                for name in MODULES
            ],
            build_dir=work,
            quiet=True,
        )
        command = build_ext(Distribution({"name": "planner", "ext_modules": extensions}))
        command.build_lib, command.build_temp = work, work
        command.parallel = len(extensions)
        command.ensure_finalized()
        command.run()
        return [Path(shutil.move(path, out / Path(path).name)) for path in command.get_outputs()]
