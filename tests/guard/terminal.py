"""A shell of one job on a terminal, as a program: `terminal.py WORDS ANSWERS COMMAND ...`.

It runs the command in the foreground as shells with job control do. Each status of the job goes as a line to
the descriptor ANSWERS: `stopped N`, `signalled N` or `exited N`; a stopped job `goes on` for every byte that
comes from WORDS.
"""

from __future__ import annotations

import fcntl
import os
import signal
import sys
import termios


def main() -> None:
    words, answers = int(sys.argv[1]), int(sys.argv[2])
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)  # or tcsetpgrp would stop it while the job has the terminal
    job = os.fork()
    if job == 0:
        os.close(words)
        os.close(answers)
        os.setpgid(0, 0)
        os.tcsetpgrp(0, os.getpid())
        signal.signal(signal.SIGTTOU, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        signal.signal(signal.SIGQUIT, signal.SIG_DFL)  # ignored in what a script runs in the background
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        os.execvp(sys.argv[3], sys.argv[3:])  # noqa: S606 - no shell but this one
    while True:
        _, status = os.waitpid(job, os.WUNTRACED)
        if not os.WIFSTOPPED(status):
            break
        os.tcsetpgrp(0, os.getpgrp())
        os.write(answers, f"stopped {os.WSTOPSIG(status)}\n".encode())
        os.read(words, 1)
        os.tcsetpgrp(0, job)
        os.killpg(job, signal.SIGCONT)
        os.write(answers, b"goes on\n")
    code = os.waitstatus_to_exitcode(status)
    os.write(answers, (f"signalled {-code}\n" if code < 0 else f"exited {code}\n").encode())


if __name__ == "__main__":
    main()
