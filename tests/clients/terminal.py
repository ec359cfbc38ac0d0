"""Runs a command on a terminal of 100 columns, prints what was written to it, and ends as the command did."""

import fcntl
import os
import struct
import subprocess
import sys
import termios

if os.environ.get("NO_COLOR") == "":
    del os.environ["NO_COLOR"]
screen, terminal = os.openpty()
fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 100, 0, 0))
command = subprocess.Popen(sys.argv[1:], stdin=terminal, stdout=terminal, stderr=terminal, start_new_session=True)
os.close(terminal)
while True:
    try:
        written = os.read(screen, 65536)
    except OSError:
        # nobody has the terminal any more
        break
    if not written:
        break
    sys.stdout.buffer.write(written)
sys.exit(command.wait())
