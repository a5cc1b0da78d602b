#!/usr/bin/env python3
"""A service in Python with several threads: alive only if each of them is.

    [service.jobs]
    command = ["/usr/bin/python3", "-u", "/opt/services/jobs.py", "/dev/sensor1", "/dev/sensor2"]
    ready = "notify"
    heartbeat = "30s"

One thread reads each sensor and checks in after each reading. The main thread sends the heartbeat,
but only while every check-in is fresh. One thread that hangs ends the heartbeats of the whole
service; and if the main thread hangs, there are none either.
"""

import os
import socket
import sys
import threading
import time


def notify(text):
    """Tells fieldwarden (or systemd) something; does nothing when nobody listens."""
    path = os.environ.get("NOTIFY_SOCKET")
    if not path:
        return
    if path.startswith("@"):
        path = "\0" + path[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
        s.sendto(text.encode(), path)


def work(sensor, pause, check_ins):
    while True:
        with open(sensor) as file:
            print(sensor, "reading", file.read().strip())
        check_ins[sensor] = time.monotonic()
        time.sleep(pause)


def main():
    sensors = sys.argv[1:]
    window = int(os.environ.get("WATCHDOG_USEC", "30000000")) / 1e6
    pause = window / 6
    check_ins = {}
    for sensor in sensors:
        # Daemon threads: the death of the main thread is the death of the service.
        threading.Thread(target=work, args=(sensor, pause, check_ins), daemon=True).start()
    ready = False
    while True:
        time.sleep(pause)
        now = time.monotonic()
        # A thread that dies of an exception does not check in any more, and that is noticed too.
        if all(now - check_ins.get(sensor, -window) < window / 2 for sensor in sensors):
            notify("WATCHDOG=1" if ready else "READY=1")
            ready = True


main()
