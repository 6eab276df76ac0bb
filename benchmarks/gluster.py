#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""GlusterFS on this machine, for benchmarks that stand beside it.

As a program it runs a command with a fresh volume mounted, `{}` standing for the
mount: `benchmarks/gluster.py -- benchmarks/mdtest --ranks 4 --path {}`.

Failure: Missing says what there is not; a command of GlusterFS that fails while
it starts is told in the same way, and nothing of it stays.
"""
import argparse
import contextlib
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time


class Missing(Exception):
    """A peer that this machine does not have."""


def run(*command, check=True, **how):
    done = subprocess.run([str(word) for word in command], text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          timeout=300, check=False, **how)
    if check and done.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, command))}: "
                           f"{done.stderr.strip()}\n{done.stdout.strip()}")
    return done.stdout


class Gluster:
    """A volume of as many bricks as Capstan has servers, distributed. GlusterFS
    takes no loopback address for a brick, so it lives in a network namespace
    with an address of its own, and meets no other glusterd there."""
    preload = None
    name = "gluster"
    address = "10.231.7.1"
    settings = {} # of the volume, beside the defaults
    options = ()  # of the mount

    def __init__(self, args, work):
        for program in ("glusterd", "gluster", "glusterfs"):
            if not shutil.which(program):
                raise Missing("package glusterfs-server is not installed")
        if os.geteuid() != 0:
            raise Missing("a brick needs root")
        self.work = work / self.name
        self.work.mkdir()
        self.top = self.work / "mount"
        self.top.mkdir()
        self.space = f"{self.name}{os.getpid()}"
        self.daemon = None
        try:
            self.start(args)
        except (RuntimeError, subprocess.TimeoutExpired) as error:
            self.stop()
            raise Missing(str(error)) from error

    def within(self, *command, **how):
        return run("nsenter", f"--net=/run/netns/{self.space}", *command, **how)

    def gluster(self, *words, **how):
        return self.within("gluster", "--mode=script",
                           f"--glusterd-sock={self.work}/glusterd.sock", *words,
                           **how)

    def start(self, args):
        run("ip", "netns", "add", self.space)
        for words in ("link set lo up", f"addr add {self.address}/32 dev lo"):
            run("ip", "-n", self.space, *words.split())
        state = self.work / "state"
        state.mkdir()
        volfile = self.work / "glusterd.vol"
        volfile.write_text(
            "volume management\n  type mgmt/glusterd\n"
            f"  option working-directory {state}\n"
            f"  option run-directory {self.work}\n"
            f"  option glusterd-sockfile {self.work}/glusterd.sock\n"
            "  option transport-type socket\n"
            "  option transport.socket.listen-port 24007\nend-volume\n")
        self.daemon = subprocess.Popen(
            ["nsenter", f"--net=/run/netns/{self.space}", "glusterd", "-N",
             "-f", str(volfile), "-l", str(self.work / "glusterd.log"),
             "-p", str(self.work / "glusterd.pid")], start_new_session=True)
        deadline = time.monotonic() + 60
        while not self.gluster("pool", "list",
                              check=False):
            if time.monotonic() > deadline or self.daemon.poll() is not None:
                raise RuntimeError("glusterd does not answer")
            time.sleep(0.2)
        bricks = [f"{self.address}:{self.work}/brick{i}"
                  for i in range(args.servers)]
        self.gluster("volume", "create", "bench",
                    *bricks, "force")
        for key, value in self.settings.items():
            self.gluster("volume", "set", "bench", key, value)
        self.gluster("volume", "start", "bench")
        self.within("glusterfs", "-s", self.address, "--volfile-id", "bench",
                    "-l", self.work / "mount.log", *self.options, self.top)

    def stop(self):
        run("umount", "-l", self.top, check=False)
        self.gluster("volume", "stop", "bench",
                    "force", check=False)
        if self.daemon:
            self.daemon.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.daemon.wait(30)
        # What the daemon has started is in the namespace, and in no other.
        for pid in run("ip", "netns", "pids", self.space,
                       check=False).split():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)
        run("ip", "netns", "del", self.space, check=False)


def main():
    """@return the command's status; 77 without GlusterFS."""
    p = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    p.add_argument("--servers", type=int, default=4, help="bricks (4)")
    p.add_argument("command", nargs="+", help="`{}` is the mount")
    args = p.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    work = pathlib.Path(tempfile.mkdtemp(prefix="capstan-gluster."))
    try:
        volume = Gluster(args, work)
        try:
            words = [word.replace("{}", str(volume.top))
                     for word in args.command]
            return subprocess.run(words, check=False).returncode
        finally:
            volume.stop()
    except Missing as cause:
        print(f"gluster: {cause}", file=sys.stderr)
        return 77
    finally:
        shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
