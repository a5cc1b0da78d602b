#!/usr/bin/env python3
"""A service in Python, without any package: reads a sensor again and again.

    [service.poll]
    command = ["/usr/bin/python3", "-u", "/opt/services/poll.py", "/sys/class/thermal/thermal_zone0/temp"]
    ready = "notify"
    heartbeat = "30s"

The heartbeat is sent by the loop that does the work, after the work. So it proves that the work is
done, and not only that some thread still has a timer.
"""

import os
import socket
import sys
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


def read(sensor):
    with open(sensor) as file:
        return file.read().strip()


def main():
    sensor = sys.argv[1]
    # Three heartbeats fit into the window that fieldwarden allows, so two may be lost.
    pause = int(os.environ.get("WATCHDOG_USEC", "30000000")) / 1e6 / 3
    reading = read(sensor)
    notify("READY=1")
    while True:
        print("reading", reading)
        notify("WATCHDOG=1")
        time.sleep(pause)
        # If this hangs, no heartbeat is sent.
        reading = read(sensor)


main()
