#!/bin/bash
# shellcheck disable=SC2154  # the variables are dracut's
# The live system. What boots disks carries it as well; it stays out of the way unless the stamp of
# a live initramfs is there. The generator decides which of the units are used.

check() {
    require_binaries /usr/lib/nestos/nestos-live || return 1
    return 255
}

depends() {
    echo nestos
}

installkernel() {
    hostonly='' instmods isofs squashfs overlay loop cdrom sr_mod sd_mod usb_storage uas virtio_scsi
}

install() {
    inst_multiple lsblk losetup
    ln_r /usr/lib/nestos/nestos-live "$systemdutildir/system-generators/nestos-live-generator"
    ln_r /usr/lib/nestos/nestos-live /usr/bin/is-live-image
    local unit
    for unit in "$moddir"/*.service; do
        inst_simple "$unit" "$systemdsystemunitdir/${unit##*/}"
    done
}
