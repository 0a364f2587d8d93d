"""The smallest extension: it counts its builds, and holds one where it is told to."""

import os
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from setuptools import Extension, setup

if "bdist_wheel" in sys.argv:
    with Path(os.environ["TINY_TALLY"]).open("a") as tally:
        tally.write("compile\n")
    if os.environ.get("TINY_HOLD") == "compile":
        with Path(os.environ["TINY_ROLL"]).open("w") as roll:
            roll.write("compile\n")
            roll.flush()
            Path(os.environ["TINY_GO"]).read_bytes()  # waits until the test opens it

try:
    major = version("iniconfig").split(".")[0]
except PackageNotFoundError:
    major = "2"

setup(
    ext_modules=[
        Extension(
            "tiny._tiny",
            ["tiny/_tiny.c"],
            define_macros=[("INICONFIG", major)],
            extra_compile_args=["-O0", "-g0"],
        )
    ]
)
