# bus of the disk and port of the agent; built in from 6.12 on
virtio_pci
virtio_console
# disk and root file system
virtio_blk
crc32c_generic
ext4
# systemd asks for it at start
autofs4
# the watchdog under test; the governor must be there before the driver, or no pretimeout is seen
pretimeout_noop
i6300esb
