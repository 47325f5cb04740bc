//! One installation from beginning to end: check everything, say what will be erased, write,
//! edit `/boot`, seal.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;

use anyhow::{Context, Result, anyhow, bail};
use nestos_formats::disk_layout::BOOT_LABEL;
use nestos_host::blockdev::{ClaimedDisk, Kind};
use nestos_host::gpt_disk::{HEAD_LEN, Partition, Placed, Table};
use nestos_host::interrupt::Guard;
use nestos_host::loopdev::LoopDevice;
use nestos_host::term::WithHint;
use nestos_host::{mount, term};

use crate::boot::{self, BootEdits};
use crate::checked::CheckedReader;
use crate::fetch;
use crate::progress::Progress;
use crate::request::{ImageSource, InstallRequest, untouched};
use crate::stream::{ImageStream, Piece};
use crate::trust::{Trust, Verified};
use crate::write::{self, Unsealed};

const MIB: u64 = 1024 * 1024;

/// File system of the boot partition.
const BOOT_FSTYPE: &str = "ext4";

/// Everything checked, nothing touched.
struct Prepared {
    disk: ClaimedDisk,
    stream: ImageStream,
    table: Table,
    placed: Placed,
    edits: BootEdits,
    boot: Option<Partition>,
}

/// Checks everything that is checked before a disk is touched, and says what would be lost.
pub fn check(request: InstallRequest) -> Result<()> {
    let device = request.device.clone();
    announce(&prepare(request).with_context(|| untouched(&device))?);
    term::status(format!("dry run: {} was not touched", device.display()));
    Ok(())
}

/// Installs. On failure, the error says whether the disk was touched.
pub fn run(request: InstallRequest) -> Result<()> {
    let device = request.device.clone();
    let prepared = prepare(request).with_context(|| untouched(&device))?;
    announce(&prepared);
    let guard = Guard::start().with_context(|| untouched(&device))?;
    let verified = match perform(&prepared, &guard) {
        Ok(verified) => verified,
        Err(cause) => return Err(abandon(&prepared.disk, cause)),
    };
    drop(guard);
    write::announce_partitions(&prepared.disk);
    term::status(format!("image digest: {}", verified.digest()));
    term::status(format!("NestOS is installed on {}", device.display()));
    Ok(())
}

fn prepare(request: InstallRequest) -> Result<Prepared> {
    let disk = ClaimedDisk::claim(&request.device)?;
    if !request.boot.is_empty() {
        boot::check_editable()?;
    }
    let stored: Box<dyn Read + Send> = match &request.image {
        ImageSource::File(path) | ImageSource::Live(path) => Box::new(open_image(path, &disk)?),
        ImageSource::Url(url) => Box::new(fetch::open(url, request.retries)?),
    };
    let image = &request.image;
    if request.trust == Trust::Insecure {
        term::warning(format!("{image} is written unverified, as --insecure asks"));
    }
    let reader = CheckedReader::new(stored, request.trust)?;
    term::status(format!("image: {image} ({})", reader.compression()));
    let stream = ImageStream::start(reader)?;
    let Piece::Bytes(head) = stream.next(|| Ok(()))? else {
        bail!("{image} is empty");
    };
    let table = read_table(&head).with_context(|| format!("{image} holds no disk image"))?;
    check_fit(&table, &disk)?;
    let placed = table.place(&head, disk.size())?;
    let boot = if request.boot.is_empty() { None } else { Some(boot_partition(&table)?) };
    if let Some(partition) = &boot {
        // The whole way to the new /boot, tried on the disk as it is.
        attach(&disk, &table, partition).map(drop)?;
    }
    Ok(Prepared { disk, stream, table, placed, edits: request.boot, boot })
}

fn open_image(path: &std::path::Path, disk: &ClaimedDisk) -> Result<File> {
    let open = || -> Result<File> {
        let file = File::open(path)?;
        let (image, target) = (file.metadata()?, disk.file().metadata()?);
        if image.is_dir() {
            bail!("it is a directory");
        }
        if (image.dev(), image.ino()) == (target.dev(), target.ino()) {
            bail!("the image and the disk are the same file");
        }
        Ok(file)
    };
    open().with_context(|| format!("cannot open the image {}", path.display()))
}

fn read_table(head: &[u8]) -> Result<Table> {
    let starts = |at: usize, magic: &[u8]| head.get(at..).is_some_and(|h| h.starts_with(magic));
    if starts(32769, b"CD001") {
        return Err(anyhow!("it is an ISO image, which boots from a CD or a USB stick"))
            .hint("boot the ISO and install from there, or use the metal image");
    }
    if starts(0, b"QFI\xFB") {
        return Err(anyhow!("it is a qcow2 image, which virtual machines use"))
            .hint("use the metal image, or convert it: qemu-img convert -O raw IN OUT");
    }
    Table::parse(head).map_err(anyhow::Error::from)
}

fn check_fit(table: &Table, disk: &ClaimedDisk) -> Result<()> {
    let wanted = table.sector_size();
    if let Kind::Device(actual) = disk.kind()
        && actual != wanted
    {
        return Err(anyhow!(
            "the image is made for sectors of {} bytes, but {} has sectors of {} bytes",
            wanted.bytes(),
            disk.path().display(),
            actual.bytes()
        ))
        .hint(format!("use the image for {}-byte sectors", actual.bytes()));
    }
    if disk.size() < table.disk_size() {
        let missing = table.disk_size() - disk.size();
        let hint = match disk.kind() {
            Kind::Device(_) => "choose a larger disk".to_owned(),
            Kind::File => {
                format!("make it larger: truncate -s +{missing} {}", disk.path().display())
            }
        };
        return Err(anyhow!(
            "the image needs {} bytes, but {} has {}",
            table.disk_size(),
            disk.path().display(),
            disk.size()
        ))
        .hint(hint);
    }
    Ok(())
}

fn boot_partition(table: &Table) -> Result<Partition> {
    let mut named = table.partitions().iter().filter(|p| p.name == BOOT_LABEL);
    match (named.next(), named.next()) {
        (Some(p), None) if p.start >= HEAD_LEN as u64 => Ok(p.clone()),
        (Some(_), None) => bail!("partition {BOOT_LABEL:?} of the image lies in its first MiB"),
        (Some(_), Some(_)) => bail!("the image has several partitions called {BOOT_LABEL:?}"),
        (None, _) => bail!("the image has no partition called {BOOT_LABEL:?}"),
    }
}

/// Says what is about to be lost.
fn announce(prepared: &Prepared) {
    let disk = &prepared.disk;
    let model = disk.model().map(|m| format!(" {m},")).unwrap_or_default();
    let size = disk.size() / MIB;
    term::status(format!("disk: {},{model} {size} MiB", disk.path().display()));
    let mut head = vec![0; HEAD_LEN];
    let old = disk.read_at(&mut head, 0).ok().and_then(|()| Table::parse(&head).ok());
    match old {
        Some(table) => {
            term::status("everything on it will be lost, its partitions included:");
            for p in table.partitions() {
                term::status(format!("  {:>3} {:<20} {} MiB", p.number, p.name, p.length / MIB));
            }
        }
        None => term::status("everything on it will be lost"),
    }
}

fn perform(prepared: &Prepared, guard: &Guard) -> Result<Verified> {
    let unsealed = Unsealed::begin(&prepared.disk, &prepared.table)?;
    // The old partitions are gone for the kernel, too: nobody can mount one meanwhile.
    write::announce_partitions(&prepared.disk);
    let verified =
        unsealed.write_body(&prepared.stream, &mut Progress::default(), || guard.check())?;
    if let Some(partition) = &prepared.boot {
        edit_boot(prepared, partition).context("cannot edit /boot of the new system")?;
    }
    guard.check()?;
    unsealed.seal(&prepared.placed, &verified)?;
    Ok(verified)
}

fn edit_boot(prepared: &Prepared, partition: &Partition) -> Result<()> {
    let device = attach(&prepared.disk, &prepared.table, partition)?;
    let edits = &prepared.edits;
    let notes = mount::inside(device.path(), BOOT_FSTYPE, || {
        boot::apply(edits, std::path::Path::new("/"))
    })?;
    for note in notes {
        term::warning(note);
    }
    Ok(())
}

fn attach(disk: &ClaimedDisk, table: &Table, partition: &Partition) -> Result<LoopDevice> {
    let sector = table.sector_size().bytes();
    LoopDevice::attach(disk.file(), partition.start, partition.length, sector)
}

/// The one place that cleans up after a failure.
fn abandon(disk: &ClaimedDisk, cause: anyhow::Error) -> anyhow::Error {
    let device = disk.path().display();
    match write::erase_ends(disk) {
        Ok(()) => {
            write::announce_partitions(disk);
            cause.context(format!("cannot install on {device}; the disk was left unbootable"))
        }
        Err(e) => {
            term::warning(format!("{device} could not be erased either: {e:#}"));
            cause.context(format!("cannot install on {device}; the disk is in an unknown state"))
        }
    }
}
