#!/bin/sh
# A service in shell: reads a sensor again and again, and proves after each reading that it is alive.
#
#   [service.poll]
#   command = ["/opt/services/poll.sh", "/sys/class/thermal/thermal_zone0/temp"]
#   ready = "notify"
#   heartbeat = "30s"
#
# `systemd-notify` is part of systemd and there on every Raspberry Pi OS. It starts a process each
# time, which is fine for a heartbeat every few seconds.
set -eu
sensor=$1

# Three heartbeats fit into the window that fieldwarden allows, so two may be lost.
pause=$(( ${WATCHDOG_USEC:-30000000} / 3000000 ))

reading=$(cat "$sensor")
systemd-notify --ready

while :; do
    echo "reading $reading"
    systemd-notify WATCHDOG=1
    sleep "$pause"
    # If this hangs, no heartbeat is sent. A heartbeat in a loop of its own would go on lying.
    reading=$(cat "$sensor")
done
