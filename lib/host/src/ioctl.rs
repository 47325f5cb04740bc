//! The one `unsafe` place: ioctls of files, block, loop and SCSI devices, and what else takes
//! pointers, each behind a safe function that takes and returns values. Numbers and layouts are
//! those of linux/fs.h, linux/fiemap.h, linux/loop.h and scsi/sg.h.
#![expect(unsafe_code, reason = "ioctls pass raw pointers; every caller outside is safe")]

use std::ffi::CStr;
use std::fs::File;
use std::os::fd::{AsRawFd, FromRawFd, RawFd};

use nix::errno::Errno;
use nix::libc::{self, c_int};

/// `LO_FLAGS_AUTOCLEAR`: the kernel detaches the loop device at its last close.
const AUTOCLEAR: u32 = 4;

mod raw {
    use super::{Fiemap, FiemapHead, LoopConfig};
    nix::ioctl_read!(blk_get_size64, 0x12, 114, u64);
    nix::ioctl_read_bad!(blk_get_sector_size, 0x1268, nix::libc::c_int);
    nix::ioctl_none!(blk_reread_partitions, 0x12, 95);
    nix::ioctl_write_ptr_bad!(blk_discard, 0x1277, [u64; 2]);
    nix::ioctl_none_bad!(loop_ctl_get_free, 0x4C82);
    nix::ioctl_write_ptr_bad!(loop_configure, 0x4C0A, LoopConfig);
    // The number counts the structure without its extents.
    const FIEMAP: nix::libc::c_ulong =
        nix::request_code_readwrite!(b'f', 11, size_of::<FiemapHead>());
    nix::ioctl_readwrite_bad!(fs_ioc_fiemap, FIEMAP, Fiemap);
    nix::ioctl_readwrite_bad!(sg_io, 0x2285, super::SgIo);
}

/// `struct loop_config` with the embedded `struct loop_info64` spelled out.
#[repr(C)]
struct LoopConfig {
    fd: u32,
    block_size: u32,
    device: u64,
    inode: u64,
    rdevice: u64,
    offset: u64,
    size_limit: u64,
    number: u32,
    encrypt_type: u32,
    encrypt_key_size: u32,
    flags: u32,
    file_name: [u8; 64],
    crypt_name: [u8; 64],
    encrypt_key: [u8; 32],
    init: [u64; 2],
    reserved: [u64; 8],
}

/// `struct fiemap` without its extents.
#[repr(C)]
struct FiemapHead {
    start: u64,
    length: u64,
    flags: u32,
    mapped_extents: u32,
    extent_count: u32,
    reserved: u32,
}

/// `struct fiemap` with as many extents as are asked for at once.
#[repr(C)]
struct Fiemap {
    head: FiemapHead,
    extents: [FiemapExtent; EXTENTS],
}

/// `struct fiemap_extent`.
#[derive(Debug, Clone, Copy, Default)]
#[repr(C)]
pub(crate) struct FiemapExtent {
    pub(crate) logical: u64,
    pub(crate) physical: u64,
    pub(crate) length: u64,
    reserved: [u64; 2],
    pub(crate) flags: u32,
    reserved_too: [u32; 3],
}

/// Extents that are asked for at once.
const EXTENTS: usize = 64;

/// `struct sg_io_hdr`.
#[repr(C)]
struct SgIo {
    interface_id: c_int,
    direction: c_int,
    command_len: u8,
    max_sense_len: u8,
    iovec_count: u16,
    data_len: u32,
    data: *mut libc::c_void,
    command: *mut u8,
    sense: *mut u8,
    timeout: u32,
    flags: u32,
    pack_id: c_int,
    user: *mut libc::c_void,
    status: u8,
    masked_status: u8,
    message_status: u8,
    sense_len: u8,
    host_status: u16,
    driver_status: u16,
    residual: c_int,
    duration: u32,
    info: u32,
}

/// The part of a file that a loop device shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Window {
    /// First byte.
    pub(crate) offset: u64,
    /// Number of bytes.
    pub(crate) length: u64,
    /// Logical sector size of the loop device.
    pub(crate) sector_size: u32,
}

/// Returns the size of a block device in bytes (`BLKGETSIZE64`).
pub(crate) fn size(device: &File) -> Result<u64, Errno> {
    let mut bytes = 0_u64;
    // SAFETY: the descriptor is open for the call and the kernel writes one u64.
    unsafe { raw::blk_get_size64(device.as_raw_fd(), &raw mut bytes) }?;
    Ok(bytes)
}

/// Returns the logical sector size of a block device in bytes (`BLKSSZGET`).
pub(crate) fn sector_size(device: &File) -> Result<u64, Errno> {
    let mut bytes: c_int = 0;
    // SAFETY: the descriptor is open for the call and the kernel writes one int.
    unsafe { raw::blk_get_sector_size(device.as_raw_fd(), &raw mut bytes) }?;
    u64::try_from(bytes).map_err(|_negative| Errno::ERANGE)
}

/// Asks the kernel to read the partition table again (`BLKRRPART`).
pub(crate) fn reread_partitions(device: &File) -> Result<(), Errno> {
    // SAFETY: the descriptor is open for the call; there is no argument.
    unsafe { raw::blk_reread_partitions(device.as_raw_fd()) }.map(drop)
}

/// Tells a block device that the bytes are not needed any more (`BLKDISCARD`); offset and length
/// are multiples of the sector size.
pub(crate) fn discard(device: &File, offset: u64, length: u64) -> Result<(), Errno> {
    let range = [offset, length];
    // SAFETY: the descriptor is open for the call and the kernel only reads the two numbers.
    unsafe { raw::blk_discard(device.as_raw_fd(), &raw const range) }.map(drop)
}

/// Returns the number of a loop device nobody uses, creating one if needed
/// (`LOOP_CTL_GET_FREE`).
pub(crate) fn free_loop_number(control: &File) -> Result<u32, Errno> {
    // SAFETY: the descriptor is open for the call; there is no argument.
    let number = unsafe { raw::loop_ctl_get_free(control.as_raw_fd()) }?;
    u32::try_from(number).map_err(|_negative| Errno::ERANGE)
}

/// Binds a window of `backing` to the loop device (`LOOP_CONFIGURE`); the kernel unbinds it when
/// the last descriptor of the loop device is closed.
pub(crate) fn configure_loop(device: &File, backing: &File, window: Window) -> Result<(), Errno> {
    let fd: RawFd = backing.as_raw_fd();
    let config = LoopConfig {
        fd: u32::try_from(fd).map_err(|_negative| Errno::EBADF)?,
        block_size: window.sector_size,
        device: 0,
        inode: 0,
        rdevice: 0,
        offset: window.offset,
        size_limit: window.length,
        number: 0,
        encrypt_type: 0,
        encrypt_key_size: 0,
        flags: AUTOCLEAR,
        file_name: [0; 64],
        crypt_name: [0; 64],
        encrypt_key: [0; 32],
        init: [0; 2],
        reserved: [0; 8],
    };
    // SAFETY: both descriptors are open for the call and the kernel only reads the structure,
    // whose layout is that of struct loop_config.
    unsafe { raw::loop_configure(device.as_raw_fd(), &raw const config) }.map(drop)
}

/// Returns where on its file system a file lies from byte `start` on (`FS_IOC_FIEMAP`): its first
/// extents, none after the last.
pub(crate) fn extents(file: &File, start: u64) -> Result<Vec<FiemapExtent>, Errno> {
    let head = FiemapHead {
        start,
        length: u64::MAX - start,
        flags: 0,
        mapped_extents: 0,
        extent_count: u32::try_from(EXTENTS).unwrap_or(0),
        reserved: 0,
    };
    let mut map = Fiemap { head, extents: [FiemapExtent::default(); EXTENTS] };
    // SAFETY: the descriptor is open for the call, and the kernel writes the structure and at most
    // the number of extents that it is told of.
    unsafe { raw::fs_ioc_fiemap(file.as_raw_fd(), &raw mut map) }?;
    let count = usize::try_from(map.head.mapped_extents).unwrap_or(EXTENTS);
    Ok(map.extents.iter().take(count).copied().collect())
}

/// Sends a SCSI command of six bytes that moves no data (`SG_IO`).
pub(crate) fn scsi_command(device: &File, command: [u8; 6]) -> Result<(), Errno> {
    const NO_DATA: c_int = -1;
    const SECONDS: u32 = 20;
    let (mut command, mut sense) = (command, [0_u8; 32]);
    let mut request = SgIo {
        interface_id: c_int::from(b'S'),
        direction: NO_DATA,
        command_len: 6,
        max_sense_len: 32,
        iovec_count: 0,
        data_len: 0,
        data: std::ptr::null_mut(),
        command: command.as_mut_ptr(),
        sense: sense.as_mut_ptr(),
        timeout: SECONDS * 1000,
        flags: 0,
        pack_id: 0,
        user: std::ptr::null_mut(),
        status: 0,
        masked_status: 0,
        message_status: 0,
        sense_len: 0,
        host_status: 0,
        driver_status: 0,
        residual: 0,
        duration: 0,
        info: 0,
    };
    // SAFETY: the descriptor is open for the call, the layout is that of struct sg_io_hdr, and both
    // buffers have the lengths that it names and outlive the call.
    unsafe { raw::sg_io(device.as_raw_fd(), &raw mut request) }?;
    let done = request.status == 0 && request.host_status == 0;
    if done { Ok(()) } else { Err(Errno::EIO) }
}

/// Loads a kernel to be started instead of the firmware (`kexec_file_load`).
pub(crate) fn load_kernel(kernel: &File, initrd: &File, line: &CStr) -> Result<(), Errno> {
    let bytes = line.to_bytes_with_nul();
    // SAFETY: both descriptors are open for the call, and the kernel reads the command line with
    // its NUL from a buffer of that length.
    let done = unsafe {
        libc::syscall(
            libc::SYS_kexec_file_load,
            libc::c_long::from(kernel.as_raw_fd()),
            libc::c_long::from(initrd.as_raw_fd()),
            bytes.len(),
            bytes.as_ptr(),
            0_usize,
        )
    };
    Errno::result(done).map(drop)
}

/// Keeps all memory of this program in RAM: its own code may be on a medium that goes away.
pub(crate) fn stay_in_memory() -> Result<(), Errno> {
    // SAFETY: the call takes no pointers.
    let done = unsafe { libc::mlockall(libc::MCL_CURRENT | libc::MCL_FUTURE) };
    Errno::result(done).map(drop)
}

/// Returns a copy of a descriptor that the caller of this program left open; `EBADF` if none is.
pub fn inherited(number: RawFd) -> Result<File, Errno> {
    // SAFETY: fcntl(2) checks the number, and the copy it returns belongs to nobody else.
    unsafe {
        let copy = Errno::result(libc::fcntl(number, libc::F_DUPFD_CLOEXEC, 3))?;
        Ok(File::from_raw_fd(copy))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loop_structure_has_the_kernel_size() {
        assert_eq!(size_of::<LoopConfig>(), 304);
    }

    #[test]
    fn the_extent_structures_have_the_kernel_sizes() {
        assert_eq!((size_of::<FiemapHead>(), size_of::<FiemapExtent>()), (32, 56));
        assert_eq!(size_of::<Fiemap>(), 32 + EXTENTS * 56);
    }

    #[test]
    fn the_scsi_structure_has_the_kernel_size() {
        assert_eq!(size_of::<SgIo>(), 88);
    }
}
