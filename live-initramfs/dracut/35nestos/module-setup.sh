#!/bin/bash
# shellcheck disable=SC2154,SC2030,SC2031  # the variables are dracut's
# Disk boot and first boot of NestOS. The units below say in what order; the work is in nestos-live.

check() {
    require_binaries /usr/lib/nestos/nestos-live || return 1
    return 255
}

depends() {
    echo systemd systemd-initrd systemd-tmpfiles systemd-udevd rootfs-block ostree
}

installkernel() {
    # File systems, and the disks and buses of virtual and real machines.
    hostonly='' instmods ext4 xfs vfat nls_ascii nls_cp437 nls_iso8859-1 loop isofs squashfs \
        overlay erofs efivarfs qemu_fw_cfg crc32c_intel libcrc32c \
        virtio_pci virtio_blk virtio_scsi virtio_net virtio_console virtio_rng \
        ahci ata_piix ata_generic sd_mod sr_mod cdrom sg nvme vmd usb_storage uas \
        xhci_pci xhci_hcd ehci_pci ehci_hcd uhci_hcd ohci_pci usbhid hid_generic atkbd i8042 \
        megaraid_sas mpt3sas mptsas mptspi hpsa smartpqi aacraid arcmsr 3w-9xxx 3w-sas isci \
        pm80xx mvsas qla2xxx lpfc vmw_pvscsi hv_storvsc hv_vmbus xen-blkfront sdhci_pci mmc_block
    # Network cards, for configurations that name a URL.
    hostonly='' instmods e1000 e1000e igb igc ixgbe ixgbevf i40e iavf ice r8169 tg3 bnx2 bnx2x \
        bnxt_en mlx4_en mlx5_core vmxnet3 hv_netvsc ena xen-netfront be2net atlantic af_packet
}

# NetworkManager runs once and without a bus, as in `--configure-and-quit=initrd`.
install_network() {
    inst_multiple NetworkManager /usr/libexec/nm-initrd-generator ip
    inst_simple "$systemdnetwork/99-default.link"
    inst_simple "$moddir/network-manager.conf" /etc/NetworkManager/conf.d/10-nestos-initramfs.conf
    inst_simple "$systemdsystemunitdir/systemd-udev-settle.service"
    # Certificates for https sources.
    inst_multiple -o /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt
    inst_libdir_file 'libnss_files.so*' 'libnss_dns.so*'
    echo 'hosts: files dns' > "$initdir/etc/nsswitch.conf"
}

# The distribution's Ignition module asks for dracut's whole network stack; only its own files are
# taken from it. A subshell keeps its functions from replacing ours.
install_ignition() (
    moddir="$dracutbasedir/modules.d/30ignition"
    # shellcheck source=/dev/null
    . "$moddir/module-setup.sh"
    install
)

# install_units TARGET UNIT...: the units run when the target is reached, which fails without them.
install_units() {
    local target="$1" unit
    shift
    mkdir -p "$initdir/$systemdsystemunitdir/$target.requires"
    for unit; do
        inst_simple "$moddir/$unit.service" "$systemdsystemunitdir/$unit.service"
        ln_r "$systemdsystemunitdir/$unit.service" \
            "$systemdsystemunitdir/$target.requires/$unit.service"
    done
}

install() {
    inst_multiple mount umount mkdir sync cat findmnt lsblk blkid udevadm systemctl journalctl \
        systemd-tmpfiles sfdisk partx blockdev resize2fs tune2fs xfs_growfs xfs_admin e2fsck \
        fsck fsck.ext4
    inst_multiple -o xfs_db xfs_repair fsck.xfs fsck.vfat fsck.fat mkfs.ext4 mkfs.xfs mkfs.vfat sgdisk
    inst_binary /usr/lib/nestos/nestos-live
    install_ignition
    # The distribution's only says that it is none.
    rm -f "$initdir/usr/sbin/ignition-kargs-helper"
    ln_r /usr/lib/nestos/nestos-live /usr/sbin/ignition-kargs-helper
    install_network

    # Defaults of the OS, merged under every configuration.
    inst_simple /usr/lib/nestos/ignition/base.d/00-nest.ign /usr/lib/ignition/base.d/00-nest.ign

    # /usr is read-only in the initramfs; where the link points to is written when there is a config.
    ln -s /run/nestos/user.ign "$initdir/usr/lib/ignition/user.ign"

    # Ignition relabels what it writes with setfiles, unconditionally; without a policy in the
    # image there is nothing to label, so a stand-in reads the list of paths and succeeds.
    if [ ! -e "${dracutsysrootdir-}/etc/selinux/config" ]; then
        inst_script "$moddir/setfiles" /usr/sbin/setfiles
        local stage
        for stage in mount files; do
            inst_simple "$moddir/10-no-selinux-policy.conf" \
                "$systemdsystemunitdir/ignition-$stage.service.d/10-no-selinux-policy.conf"
        done
    fi

    install_units ignition-diskful.target nestos-setup-user-config nestos-check-config \
        nestos-kargs-reboot nestos-new-uuids nestos-grow-root nestos-mount-var
    install_units ignition-complete.target nestos-network-up nestos-network-down \
        nestos-populate-var

    # A boot that cannot go on says so on every console and stops.
    inst_simple "$moddir/emergency.service" "$systemdsystemunitdir/emergency.service"
    inst_simple "$systemdsystemunitdir/emergency.target"
}
