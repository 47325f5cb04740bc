//! Remarks on NestOS that several fields share, in English and in Chinese.

/// What changing the root disk takes.
pub(super) const REPROVISIONED: (&str, &str) = (
    "To change the root disk, the first boot holds a compressed copy of \
     the root filesystem in memory: give the machine enough of it (4 GiB \
     is safe).",
    "改动根磁盘时，首次启动会在内存中保存一份压缩的根文件系统副本：请为机\
     器准备足够的内存（4 GiB 较为稳妥）。",
);

/// Where files can be.
pub(super) const WRITABLE: (&str, &str) = (
    "The operating system in /usr is read-only and replaced by every \
     update; put things in /etc or /var (where /home, /root, /opt, /srv \
     and /usr/local lead to as well).",
    "操作系统位于只读的 /usr，每次升级都会整体替换；请把内容放在 /etc 或 \
     /var（/home、/root、/opt、/srv 和 /usr/local 也都指向那里）。",
);

/// What modes cannot do.
pub(super) const SPECIAL_BITS: (&str, &str) = (
    "Ignition 3.3.0 does not set the setuid, setgid and sticky bits \
     (04000, 02000, 01000) dependably; set them with a systemd unit or \
     tmpfiles.d instead.",
    "Ignition 3.3.0 不能可靠地设置 setuid、setgid 和粘滞位（04000、02000、\
     01000）；请改用 systemd 单元或 tmpfiles.d 设置。",
);
