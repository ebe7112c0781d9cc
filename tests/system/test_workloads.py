"""What ordinary programs need of the kernel, under the default list of system calls."""

from __future__ import annotations

from pathlib import Path

from tests.harness.command import Rootless
from tests.need import need

PYTHON = r"""
import asyncio, ctypes, errno, fcntl, mmap, multiprocessing, os, select, signal, socket, subprocess, tempfile, threading, time
from multiprocessing import shared_memory

def square(number):
    return number * number

async def serve():
    child = await asyncio.create_subprocess_exec("echo", "hi", stdout=subprocess.PIPE)
    server = await asyncio.start_server(lambda r, w: (w.write(b"served"), w.close()), "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    return (await child.communicate())[0] + await reader.read()

if __name__ == "__main__":
    found = []
    threads = [threading.Thread(target=found.append, args=(n,)) for n in range(30)]
    [t.start() for t in threads]; [t.join() for t in threads]
    print("threads", len(found))
    print("asyncio", asyncio.run(serve()))
    print("subprocess", subprocess.run("echo a | cat; exit 3", shell=True, stdout=subprocess.DEVNULL).returncode)
    for kind in ("fork", "spawn", "forkserver"):
        with multiprocessing.get_context(kind).Pool(2) as pool:
            print(kind, sum(pool.map(square, range(10))))
    shared = shared_memory.SharedMemory(create=True, size=4096); shared.buf[0] = 7; shared.close(); shared.unlink()
    executable = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC); executable.close()
    rung = []
    signal.signal(signal.SIGALRM, lambda *_: rung.append(1)); signal.setitimer(signal.ITIMER_REAL, 0.01); time.sleep(0.1)
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1]); os.kill(os.getpid(), signal.SIGUSR1)
    print("signals", rung, signal.sigtimedwait([signal.SIGUSR1], 1).si_signo == signal.SIGUSR1)
    memory = os.memfd_create("x", os.MFD_ALLOW_SEALING); os.write(memory, b"q"); fcntl.fcntl(memory, 1033, 2)
    print("memfd", os.pread(memory, 1, 0))
    poll = select.epoll(); one, two = socket.socketpair(); poll.register(one, select.EPOLLIN); two.send(b"x")
    print("epoll", len(poll.poll(1)))
    pidfd = os.pidfd_open(os.getpid()); signal.pidfd_send_signal(pidfd, 0)
    source, target = tempfile.TemporaryFile(), tempfile.TemporaryFile(); source.write(b"x" * 9000); source.flush()
    print("copied", os.copy_file_range(source.fileno(), target.fileno(), 9000, 0, 0), os.sendfile(target.fileno(), source.fileno(), 0, 10))
    libc = ctypes.CDLL(None, use_errno=True)
    print("io_uring", libc.syscall(425, 4, None), errno.errorcode[ctypes.get_errno()])
"""

TOLD = """\
threads 30
asyncio b'hi\\nserved'
subprocess 3
fork 285
spawn 285
forkserver 285
signals [1] True
memfd b'q'
epoll 1
copied 9000 10
io_uring -1 ENOSYS
"""

SHELL = r"""
cd /tmp; set -em
seq 20 | xargs -P4 -n1 sh -c 'echo $(($0 * 2))' | sort -n | tail -1
mkfifo pipe; (echo through >pipe) & cat pipe; wait
diff <(echo a) <(echo a) && echo same
coproc CAT { cat; }; echo back >&${CAT[1]}; read -r line <&${CAT[0]}; echo $line; kill $CAT_PID; wait $CAT_PID || true
sleep 60 & kill -STOP %sleep; sleep 0.2; jobs %sleep | grep -o Stopped; kill -CONT %sleep; kill %sleep; wait %sleep || echo $?
timeout 0.1 sleep 9 || echo $?
mkdir d; echo x >d/f; ln d/f d/hard; ln -s f d/soft; tar c d | tar t | wc -l; flock d/f echo locked
truncate -s 1M sparse; cp --sparse=always --reflink=auto sparse again; stat -c %b again
perl -MSocket -MIO::Poll -e 'socketpair(A,B,AF_UNIX,SOCK_STREAM,0); if (!fork) { syswrite B,"perl"; exit 0 }
 sysread A,$x,9; wait; print "$x $?\n"'
nice -n 5 ionice -c3 chrt -b 0 taskset 1 echo scheduled
"""

SAID = ["40", "through", "same", "back", "Stopped", "143", "124", "4", "locked", "0", "perl 0", "scheduled"]


def test_python(rootless: Rootless, tmp_path: Path) -> None:
    """The host's own Python; io_uring does not exist, so that programs fall back."""
    need(Path("/usr/bin/python3").exists(), "no /usr/bin/python3")
    program = tmp_path / "program.py"
    program.write_text(PYTHON)
    tmp_path.chmod(0o755)
    done = rootless("run", "--rm", "--network", "none", "--tmpfs", "/tmp", "-v", f"{tmp_path}:/srv:ro", "--rootfs", "/",
                    "/usr/bin/python3", "/srv/program.py", timeout=60)  # fmt: skip
    assert done.stdout == TOLD


def test_a_shell_and_its_tools(rootless: Rootless, debian_image: str) -> None:
    """Pipes, jobs, co-processes, tar, links, locks, Perl, schedules."""
    done = rootless("run", "--rm", "--network", "none", debian_image, "bash", "-c", SHELL, timeout=60)
    assert done.lines == SAID
