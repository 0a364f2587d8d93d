"""`gilgrid watch`: a command is in every respect what it would be without, until it hangs.

Many tests run the same with gilgrid and without, and hold the one to the other.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import resource
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    from tests.guard.conftest import Witness

SOURCE = Path(__file__).parents[2] / "src"
SHELL_OF_ONE_JOB = str(Path(__file__).with_name("terminal.py"))
PATIENCE_S = 60.0
WATCH = (sys.executable, "-m", "gilgrid.cli", "watch")
BOTH = pytest.mark.parametrize("prefix", [(), (*WATCH, "--")], ids=["without gilgrid", "under gilgrid"])
ENV = os.environ | {"PYTHONPATH": str(SOURCE)}


def watch(
    *arguments: str,
    env: Mapping[str, str] = ENV,
    stdout: int = subprocess.PIPE,
    stderr: int | IO[bytes] = subprocess.PIPE,
    pass_fds: Collection[int] = (),
) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [*WATCH, *arguments],
        env=env,
        stdout=stdout,
        stderr=stderr,
        pass_fds=pass_fds,
        timeout=PATIENCE_S,
        check=False,
    )


def shell(script: str, *arguments: str) -> tuple[str, ...]:
    return ("/bin/sh", "-c", script, "sh", *arguments)


def python(program: str, *arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-I", "-S", "-c", program, *arguments)


def has_ended(pid: int) -> bool:
    try:
        return (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except OSError:
        return True


def wait_until(holds: Callable[[], bool], otherwise: str) -> None:
    """For what no event tells of: strangers' processes."""
    until = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < until, otherwise
        time.sleep(0.01)


@pytest.fixture
def roll() -> Iterator[Roll]:
    roll = Roll()
    yield roll
    roll.close()


class Roll:
    """A pipe in which commands write lines, by the number of its descriptor."""

    def __init__(self) -> None:
        self._read, self.fd = os.pipe()
        self.path = f"/dev/fd/{self.fd}"  # a shell may know no numbers of two digits
        self._lines: list[str] = []
        self._rest = b""

    def line(self) -> str:
        while not self._lines:
            assert select.select([self._read], [], [], PATIENCE_S)[0], "nothing was written"
            chunk = os.read(self._read, 65536)
            assert chunk, "nothing more will be written"
            *lines, self._rest = (self._rest + chunk).split(b"\n")
            self._lines += [line.decode() for line in lines]
        return self._lines.pop(0)

    def close_ours(self) -> None:
        if self.fd >= 0:
            os.close(self.fd)
        self.fd = -1

    def ended(self) -> bool:
        """Whether nobody can write in it any more; waits for it."""
        self.close_ours()
        assert select.select([self._read], [], [], PATIENCE_S)[0]
        return os.read(self._read, 65536) == b""

    def close(self) -> None:
        self.close_ours()
        os.close(self._read)


def started(command: Sequence[str], roll: Roll, **options: Any) -> subprocess.Popen[bytes]:
    """Start a command that writes in the roll, in a process group of its own."""
    return subprocess.Popen(command, env=ENV, pass_fds=[roll.fd], process_group=0, **options)


# What it inherits


SIGNALS = ("grep", "-E", "^Sig(Blk|Ign)", "/proc/self/status")  # itself: a shell has its own mind about them
LOOK = """
grep -E '^(Umask|Cpus_allowed|NoNewPrivs)' /proc/self/status
cat /proc/self/limits
cut -d ' ' -f 5-8,18-19 /proc/self/stat
for fd in /proc/self/fd/*; do echo $fd $(readlink $fd); done
readlink /proc/self/cwd
tr '\\0' '\\n' < /proc/self/environ
"""


@pytest.mark.parametrize("ways", ["plain", "odd"])
@pytest.mark.parametrize("command", [SIGNALS, shell(LOOK)], ids=["signals", "the rest"])
def test_it_finds_everything_as_without_gilgrid(tmp_path: Path, command: tuple[str, ...], ways: str) -> None:
    opened = ("bash", "-c", 'exec 9>>nine 80<>eighty <&-; exec "$@"', "bash") if ways == "odd" else ()

    def prepare() -> None:
        if ways == "plain":
            return
        os.umask(0o027)
        os.nice(3)
        resource.setrlimit(resource.RLIMIT_NOFILE, (200, 300))
        for number in (signal.SIGHUP, signal.SIGINT, signal.SIGCHLD, signal.SIGUSR2):
            signal.signal(number, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1, signal.SIGTERM, signal.SIGRTMIN})

    # In the locale C, Python adds a variable to its environment.
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(SOURCE), "ODD": os.fsdecode(b"\xff\n="), "EMPTY": ""}
    seen = []
    for prefix in ((), (*WATCH, "--")):
        with (tmp_path / "seen").open("w+") as file:
            done = subprocess.run(
                [*opened, *prefix, *command],
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.PIPE,
                env=env,
                cwd=tmp_path,
                preexec_fn=prepare,
                check=False,
            )
        assert done.stderr == b""
        seen.append((done.returncode, (tmp_path / "seen").read_text(errors="surrogateescape")))
    # The pipe of stderr is another one for each, and what lists the descriptors gets a process of its own.
    plain, watched = (re.sub(r"pipe:\[\d+\]", "pipe", text) for _, text in seen)
    assert watched == plain
    assert ("/proc/self/fd/80" in plain) == (ways == "odd" and command is not SIGNALS)


def test_all_that_it_reads_and_writes_is_untouched() -> None:
    count, block = 100, bytes(range(256)) * 4096
    copy = subprocess.Popen([*WATCH, "cat"], env=ENV, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert copy.stdin is not None
    assert copy.stdout is not None
    sender = os.fork()
    if sender == 0:
        try:
            for _ in range(count):
                copy.stdin.write(block)
            copy.stdin.flush()
        finally:
            os._exit(0)
    copy.stdin.close()
    digest = hashlib.sha256()
    while chunk := copy.stdout.read(1 << 20):
        digest.update(chunk)
    os.waitpid(sender, 0)
    assert copy.wait() == 0
    copy.stdout.close()
    assert digest.digest() == hashlib.sha256(block * count).digest()


def test_the_words_of_the_command_are_its_own() -> None:
    words = ("--deadline", "1", "--json", "-x", "--=", "--", "--keep", "--help", "--version", "-", "")
    program = "import sys; print(sys.argv[1:])"
    for dashes in ((), ("--",)):
        done = watch(*dashes, *python(program, *words))
        assert (done.stdout.decode().strip(), done.stderr) == (str(list(words)), b"")


def test_a_script_that_names_no_interpreter_is_the_shells(tmp_path: Path) -> None:
    (tmp_path / "script").write_text('echo "$0" "$@"; exit 3\n')
    (tmp_path / "script").chmod(0o755)
    for name in (f"{tmp_path}/script", "script"):
        done = watch(name, "a b", env=ENV | {"PATH": f"{tmp_path}:{ENV['PATH']}"})
        assert (done.returncode, done.stdout.decode()) == (3, f"{tmp_path}/script a b\n")


# How it ends


@pytest.mark.parametrize("code", [0, 1, 2, 121, 124, 125, 255])
def test_the_exit_code_is_the_commands_own_and_nothing_is_said(code: int) -> None:
    done = watch(*shell(f"exit {code}"))
    assert (done.returncode, done.stdout, done.stderr) == (code, b"", b"")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM, signal.SIGPIPE])
def test_a_signal_that_ends_it_is_told_by_the_exit_code(number: signal.Signals) -> None:
    done = watch(*shell(f"kill -{number} $$; read never"))
    said = "" if number is signal.SIGPIPE else f"gilgrid: killed by {number.name}\n"
    assert (done.returncode, done.stderr.decode()) == (128 + number, said)


@pytest.mark.parametrize(
    ("command", "code", "said"),
    [
        ("no-such-command", 127, "no-such-command: No such file or directory"),
        ("/no/such/command", 127, "/no/such/command: No such file or directory"),
        ("/etc/passwd", 126, "/etc/passwd: Permission denied"),
        ("/", 126, "/: Permission denied"),
        ("/etc/passwd/x", 126, "/etc/passwd/x: Not a directory"),
    ],
)
def test_what_cannot_be_executed_is_told_as_a_shell_tells_it(command: str, code: int, said: str) -> None:
    done = watch(command)
    assert (done.returncode, done.stderr.decode()) == (code, f"gilgrid: {said}\n")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "name the command to watch"),
        (("--",), "name the command to watch"),
        (("--pid", "1", "true"), "not both"),
        (("--deadline", "soon", "true"), "'soon' should be a time"),
        (("--deadline", "0", "true"), "'0' should be a time"),
        (("--dead", "5", "true"), "unrecognized arguments: --dead"),
        (("--json", "/proc/nothing/file", "true"), "/proc/nothing/file: "),
        (("--json", "/etc", "true"), "/etc: Is a directory"),
    ],
)
def test_a_mistake_in_the_call_is_one_sentence_and_not_the_commands_code(
    arguments: tuple[str, ...], said: str
) -> None:
    done = watch(*arguments)
    assert done.returncode == 125
    assert said in done.stderr.decode().splitlines()[-1]


def test_it_ends_by_a_closed_pipe_as_without_gilgrid() -> None:
    producer = subprocess.Popen([*WATCH, "yes"], env=ENV, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert producer.stdout is not None
    assert producer.stdout.read(2) == b"y\n"
    producer.stdout.close()
    assert producer.communicate(timeout=PATIENCE_S)[1] == b""
    assert producer.returncode == 128 + signal.SIGPIPE


@BOTH
def test_what_it_closes_is_closed(prefix: tuple[str, ...]) -> None:
    script = "echo begun; read word; exec <&- >&-; read never <&3"
    ours, theirs = os.pipe()
    command = subprocess.Popen(
        [*prefix, "/bin/sh", "-c", f"exec 3</dev/fd/{ours}; {script}"],
        env=ENV,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        pass_fds=[ours],
    )
    os.close(ours)
    assert command.stdin is not None
    assert command.stdout is not None
    assert command.stdout.readline() == b"begun\n"
    command.stdin.write(b"go on\n")
    command.stdin.flush()
    assert select.select([command.stdout], [], [], PATIENCE_S)[0]
    assert command.stdout.read() == b""  # the end, while the command lives
    with pytest.raises(BrokenPipeError):
        os.write(command.stdin.fileno(), b"nobody reads this")
    os.close(theirs)
    assert command.wait(PATIENCE_S) == 1
    command.stdout.close()
    command.stdin.close()


@BOTH
def test_what_it_leaves_behind_lives_on(prefix: tuple[str, ...], roll: Roll) -> None:
    script = f"(exec sleep 60) & echo $! > {roll.path}; exit 5"
    assert subprocess.run([*prefix, *shell(script)], env=ENV, pass_fds=[roll.fd], check=False).returncode == 5
    left = int(roll.line())
    try:
        assert not has_ended(left)
    finally:
        os.kill(left, signal.SIGKILL)


# Signals


COUNT = """
import os, signal, sys
roll = int(sys.argv[1])
got = []
told, tell = os.pipe()
def get(number, _):
    got.append(number)
    os.write(tell, b".")
for name in ("INT", "QUIT", "TERM", "HUP", "USR1", "USR2", "WINCH", "RTMIN"):
    signal.signal(getattr(signal, "SIG" + name), get)
signal.signal(signal.SIGRTMAX, lambda *_: os.write(roll, b"last\\n"))
signal.alarm(60)
os.write(roll, f"{os.getpid()}\\n".encode())
os.read(told, 1)
os.write(roll, b"got one\\n")
sys.stdin.read()
os.write(roll, f"{got}\\n".encode())
sys.exit(42)
"""


@BOTH
@pytest.mark.parametrize("to_all", [False, True], ids=["to it alone", "to its process group"])
@pytest.mark.parametrize("name", ["INT", "QUIT", "TERM", "HUP", "USR1", "USR2", "WINCH", "RTMIN"])
def test_a_signal_reaches_the_command_once(
    prefix: tuple[str, ...],
    to_all: bool,  # noqa: FBT001 - pytest's way
    name: str,
    roll: Roll,
) -> None:
    number = getattr(signal, f"SIG{name}")
    command = started([*prefix, *python(COUNT, str(roll.fd))], roll, stdin=subprocess.PIPE)
    assert command.stdin is not None
    roll.line()
    (os.killpg if to_all else os.kill)(command.pid, number)
    assert roll.line() == "got one"
    # What is passed on comes later. Another signal shows when all of it has come: they keep their order.
    os.kill(command.pid, signal.SIGRTMAX)
    assert roll.line() == "last"
    command.stdin.close()
    assert roll.line() == f"[{int(number)}]"
    assert command.wait(PATIENCE_S) == 42


@BOTH
def test_a_command_that_leaves_its_process_group_gets_what_is_sent_to_that(
    prefix: tuple[str, ...], roll: Roll
) -> None:
    # Without gilgrid it leads the group, and stays in it.
    program = COUNT.replace("got = []", "got = []\nos.setpgid(0, 0)", 1)
    command = started([*prefix, *python(program, str(roll.fd))], roll, stdin=subprocess.PIPE)
    assert command.stdin is not None
    roll.line()
    os.killpg(command.pid, signal.SIGTERM)
    assert roll.line() == "got one"
    command.stdin.close()
    assert roll.line() == f"[{int(signal.SIGTERM)}]"
    assert command.wait(PATIENCE_S) == 42


@BOTH
def test_a_command_that_ends_its_own_process_group_ends_as_it_says(
    prefix: tuple[str, ...], roll: Roll
) -> None:
    script = f"trap 'echo got > {roll.path}; n=1$n' TERM; kill -TERM 0; echo $n > {roll.path}; exit 7"
    command = started([*prefix, *shell(script)], roll)
    assert command.wait(PATIENCE_S) == 7
    assert (roll.line(), roll.line()) == ("got", "1")


def test_gilgrid_killed_leaves_nothing(witness: Witness) -> None:
    env = witness.env | {"PYTHONPATH": str(SOURCE)}
    command = subprocess.Popen([*WATCH, *witness.shape("respawner").argv], env=env)
    witness.wait_for(7)
    command.kill()
    command.wait()
    wait_until(lambda: not witness.marked(), "something is left")
    witness.assert_nothing_left()


def test_its_whole_process_group_killed_leaves_nothing(witness: Witness) -> None:
    env = witness.env | {"PYTHONPATH": str(SOURCE)}
    command = subprocess.Popen([*WATCH, *witness.shape("setsid").argv], env=env, process_group=0)
    witness.wait_for(2)
    os.killpg(command.pid, signal.SIGKILL)
    command.wait()
    wait_until(lambda: not witness.marked(), "something is left")
    witness.assert_nothing_left()


def test_a_supervisor_that_is_killed_is_gilgrids_failure_and_takes_the_command_with_it(
    witness: Witness,
) -> None:
    env = witness.env | {"PYTHONPATH": str(SOURCE)}
    command = subprocess.Popen([*WATCH, *witness.shape("setsid").argv], env=env, stderr=subprocess.PIPE)
    parents = {name: int(parent) for name, _, parent in witness.wait_for(2)}
    os.kill(parents["root"], signal.SIGKILL)
    said = command.communicate(timeout=PATIENCE_S)[1].decode()
    assert command.returncode == 125
    assert said.startswith("gilgrid: gilgrid itself failed")
    witness.assert_nothing_left()


# On a terminal


class Terminal:
    """A terminal with a shell of one job; `status` is what the shell sees of it."""

    def __init__(self, job: Sequence[str], roll: Roll) -> None:
        self.screen, theirs = os.openpty()
        words, self._words = os.pipe()
        self._answers = Roll()
        self._shell = subprocess.Popen(
            [sys.executable, "-I", "-S", SHELL_OF_ONE_JOB, str(words), str(self._answers.fd), *job],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env=ENV,
            pass_fds=[words, self._answers.fd, roll.fd],
            start_new_session=True,
        )
        os.close(theirs)
        os.close(words)
        self._answers.close_ours()
        self.shown = b""

    def type(self, keys: bytes) -> None:
        os.write(self.screen, keys)

    def go_on(self) -> None:
        os.write(self._words, b"f")
        assert self.status() == "goes on"

    def status(self) -> str:
        return self._answers.line()

    def wait_for(self, text: bytes) -> None:
        while text not in self.shown:
            assert select.select([self.screen], [], [], PATIENCE_S)[0], self.shown
            self.shown += os.read(self.screen, 65536)

    def close(self) -> None:
        os.close(self._words)
        os.close(self.screen)  # who still lives is sent SIGHUP
        self._shell.wait(PATIENCE_S)
        self._answers.close()


@pytest.fixture
def terminal(roll: Roll) -> Iterator[Callable[..., Terminal]]:
    open_ones = []

    def make(job: Sequence[str]) -> Terminal:
        open_ones.append(Terminal(job, roll))
        return open_ones[-1]

    yield make
    for one in open_ones:
        one.close()


@BOTH
def test_it_has_the_terminal(prefix: tuple[str, ...], terminal: Callable[..., Terminal]) -> None:
    script = (
        "tty; test -t 0 && test -t 1 && test -t 2 && echo all of them; printf 'your name? '; read name;"
        "echo hello $name > /dev/tty; exit 4"
    )
    screen = terminal([*prefix, *shell(script)])
    screen.wait_for(b"/dev/pts/")
    screen.wait_for(b"all of them")
    screen.wait_for(b"your name? ")
    screen.type(b"Ada\n")
    screen.wait_for(b"hello Ada")
    assert screen.status() == "exited 4"


@BOTH
@pytest.mark.parametrize(("key", "number"), [(b"\x03", signal.SIGINT), (b"\x1c", signal.SIGQUIT)])
def test_a_key_interrupts_the_command_once(
    prefix: tuple[str, ...], key: bytes, number: int, roll: Roll, terminal: Callable[..., Terminal]
) -> None:
    screen = terminal([*prefix, *python(COUNT, str(roll.fd))])
    roll.line()
    screen.type(key)
    assert roll.line() == "got one"
    screen.type(b"\x04")
    assert roll.line() == f"[{number}]"
    assert screen.status() == "exited 42"


@pytest.mark.parametrize(("key", "number"), [(b"\x03", signal.SIGINT), (b"\x1c", signal.SIGQUIT)])
def test_a_key_that_ends_the_command_is_its_exit_code(
    key: bytes, number: int, roll: Roll, terminal: Callable[..., Terminal]
) -> None:
    screen = terminal([*WATCH, *shell(f"echo here > {roll.path}; exec sleep 60")])
    roll.line()
    screen.type(key)
    assert screen.status() == f"exited {128 + number}"


@BOTH
def test_it_is_stopped_and_goes_on_as_a_job(
    prefix: tuple[str, ...], roll: Roll, terminal: Callable[..., Terminal]
) -> None:
    screen = terminal(
        [*prefix, *shell(f"echo here > {roll.path}; read word; echo $word > {roll.path}; exit 3")]
    )
    roll.line()
    for _ in range(3):
        screen.type(b"\x1a")
        assert screen.status().startswith("stopped")
        screen.go_on()
    screen.type(b"well\n")
    assert roll.line() == "well"
    assert screen.status() == "exited 3"


@BOTH
def test_a_command_that_does_not_stop_does_not_stop_gilgrid(
    prefix: tuple[str, ...], roll: Roll, terminal: Callable[..., Terminal]
) -> None:
    script = f"trap 'echo asked > {roll.path}' TSTP; echo here > {roll.path}; read word; exit 3"
    screen = terminal([*prefix, *shell(script)])
    roll.line()
    screen.type(b"\x1a")
    screen.type(b"word\n")
    assert roll.line() == "asked"
    assert screen.status() == "exited 3"


@BOTH
@pytest.mark.parametrize("own_group", [False, True])
def test_a_command_that_stops_itself_stops_the_job_and_is_continued_with_it(
    prefix: tuple[str, ...],
    own_group: bool,  # noqa: FBT001 - pytest's way
    roll: Roll,
    terminal: Callable[..., Terminal],
) -> None:
    program = f"""
import os, signal
if {own_group}:
    os.setpgid(0, 0)
for _ in range(3):
    os.write({roll.fd}, b"here\\n")
    os.kill(os.getpid(), signal.SIGSTOP)
raise SystemExit(3)
"""
    screen = terminal([*prefix, *python(program)])
    for _ in range(3):
        assert roll.line() == "here"
        assert screen.status() == f"stopped {int(signal.SIGSTOP)}"
        screen.go_on()
    assert screen.status() == "exited 3"


def test_a_stopped_command_at_its_deadline_ends_and_so_does_the_job(
    roll: Roll, terminal: Callable[..., Terminal]
) -> None:
    screen = terminal([*WATCH, "--deadline", "1", *shell("kill -STOP $$")])
    assert screen.status().startswith("stopped")
    # Nobody continues it.
    assert select.select([screen.screen], [], [], PATIENCE_S)[0]
    screen.wait_for(b"timeout")
    screen.go_on()  # the shell asks once for each stop that it has seen
    assert screen.status() == "exited 124"
    assert roll.ended()


# Hangs


def result(path: Path) -> dict[str, Any]:
    content = json.loads(path.read_text(encoding="utf-8"))
    assert isinstance(content, dict)
    return content


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (("true",), {"verdict": "ok", "exit_code": 0, "signal": None}),
        (shell("exit 3"), {"verdict": "failed", "exit_code": 3, "signal": None}),
        (shell("kill -SEGV $$"), {"verdict": "crash", "exit_code": None, "signal": 11}),
        (("no-such-command",), {"verdict": "failed", "exit_code": 127, "signal": None}),
    ],
)
def test_the_result_is_written_also_when_all_is_well(
    command: tuple[str, ...], expected: dict[str, Any], tmp_path: Path
) -> None:
    file = tmp_path / "made" / "result.json"
    watch("--json", str(file), *command)
    found = result(file)
    assert (
        found.items()
        >= {
            "schema": 1,
            "cause": None,
            "detected_after": None,
            "command": list(command),
            "threads": [],
            "kept": [],
            **expected,
        }.items()
    )
    assert found["seconds"] > 0


def test_the_result_says_how_often_something_that_is_well_was_looked_at(tmp_path: Path) -> None:
    file = tmp_path / "result.json"
    joins = "import threading, time; t = threading.Thread(target=time.sleep, args=(3,)); t.start(); t.join()"
    watch("--json", str(file), sys.executable, "-c", joins)
    assert result(file)["verdict"] == "ok"
    assert result(file)["looks"] > 0
    assert result(file)["stops"] == 0


def test_at_its_deadline_nothing_of_it_is_left(witness: Witness, tmp_path: Path) -> None:
    env = witness.env | {"PYTHONPATH": str(SOURCE)}
    file = tmp_path / "result.json"
    done = watch("--deadline", "1.5 s", "--json", str(file), *witness.shape("setsid").argv, env=env)
    assert done.returncode == 124
    assert b"timeout" in done.stderr
    assert done.stdout == b""
    assert result(file).items() >= {"verdict": "timeout", "exit_code": None, "signal": None}.items()
    assert result(file)["seconds"] == 1.5
    assert len(witness.entered()) == 2
    witness.assert_nothing_left()


LOCKED = """
import os, sys, threading
os.write(int(sys.argv[1]), f"{os.getpid()}\\n".encode())
lock = threading.Lock()
lock.acquire()
lock.acquire()
"""


def test_a_deadlock_is_proven_explained_and_ended(tmp_path: Path, roll: Roll) -> None:
    file = tmp_path / "result.json"
    done = watch("--json", str(file), *python(LOCKED, str(roll.fd)), pass_fds=[roll.fd])
    pid = int(roll.line())
    assert done.returncode == 121
    assert b"deadlock" in done.stderr
    assert str(pid).encode() in done.stderr
    found = result(file)
    assert found.items() >= {"verdict": "deadlock", "exit_code": None, "signal": None, "kept": []}.items()
    assert [thread["pid"] for thread in found["threads"]] == [pid]
    assert found["cause"]
    assert roll.ended()


@pytest.mark.parametrize("how", ["deadlock", "deadline"])
def test_what_hangs_lives_on_with_keep(how: str, tmp_path: Path, roll: Roll) -> None:
    command = {
        "deadlock": python(LOCKED, str(roll.fd)),
        "deadline": python(
            "import os, sys, time; " + LOCKED.splitlines()[2] + "\ntime.sleep(60)", str(roll.fd)
        ),
    }[how]
    file, words = tmp_path / "result.json", tmp_path / "words"
    with words.open("wb") as stderr:  # no pipe: what is kept alive would hold it open
        done = watch(
            *("--keep", "--deadline", "3", "--json", str(file), *command),
            pass_fds=[roll.fd],
            stdout=subprocess.DEVNULL,
            stderr=stderr,
        )
    pid = int(roll.line())
    try:
        assert done.returncode == {"deadlock": 121, "deadline": 124}[how]
        assert result(file)["kept"] == [pid]
        said = words.read_text().splitlines()[-1]
        assert f"gdb -p {pid}" in said
        assert f"kill -9 {pid}" in said
        status = (Path("/proc") / str(pid) / "status").read_text()
        assert re.search(r"^State:\s+S", status, re.MULTILINE)  # neither stopped nor dead
        assert re.search(r"^PPid:\t1$|^PPid:\t(?!0)", status, re.MULTILINE)
    finally:
        os.kill(pid, signal.SIGKILL)
    assert roll.ended()


def test_with_keep_too_a_killed_gilgrid_leaves_nothing(witness: Witness) -> None:
    env = witness.env | {"PYTHONPATH": str(SOURCE)}
    command = subprocess.Popen([*WATCH, "--keep", *witness.shape("setsid").argv], env=env)
    witness.wait_for(2)
    command.kill()
    command.wait()
    wait_until(lambda: not witness.marked(), "something is left")
    witness.assert_nothing_left()


def test_the_result_goes_into_a_pipe_as_well() -> None:
    ours, theirs = os.pipe()
    done = watch("--json", f"/dev/fd/{theirs}", "true", pass_fds=[theirs])
    os.close(theirs)
    with os.fdopen(ours, "rb") as file:
        assert json.load(file)["verdict"] == "ok"
    assert (done.returncode, done.stderr) == (0, b"")
