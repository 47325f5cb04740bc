//! One installation from beginning to end: check everything, say what will be erased, write,
//! edit `/boot`, seal.

mod judge;
mod origin;
mod plan;
pub mod post_process;
mod report;
mod target;

use std::path::Path;

use anyhow::{Context, Result, bail};
use nestos_formats::image_note::ImageNote;
use nestos_host::blockdev::ClaimedDisk;
use nestos_host::gpt_disk::{Partition, Table};
use nestos_host::interrupt::Guard;
use nestos_host::loopdev::LoopDevice;
use nestos_host::wipe::Discarded;
use nestos_host::{clock, mount, term, wipe};
use serde_json::json;

use crate::boot::{self, BootEdits};
use crate::checked::CheckedReader;
use crate::progress::Progress;
use crate::read_back::{Written, verify_written};
use crate::request::{Comparison, FailedDisk, Handling, InstallRequest, Output, Rest, untouched};
use crate::saved::{Kept, Layout};
use crate::stream::{ImageStream, Piece};
use crate::trust::Verified;
use crate::write::{self, Unsealed};

pub use origin::check_image;

use origin::Origin;

pub use plan::{DiskPlan, FirstBootPlan, ImagePlan, PartitionPlan, Plan};
pub use report::{Outcome, Report};

/// File system of the boot partition.
const BOOT_FSTYPE: &str = "ext4";

/// What follows the checks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// Nothing: nothing may change.
    Check,
    /// The installation.
    Install,
}

/// Everything checked, nothing touched.
struct Prepared {
    disk: ClaimedDisk,
    stream: ImageStream,
    table: Table,
    layout: Layout,
    edits: BootEdits,
    boot: Option<Partition>,
    handling: Handling,
    wipe: Option<wipe::Plan>,
    plan: Plan,
}

/// Checks everything that is checked before a disk is touched, and prints the plan.
pub fn check(mut request: InstallRequest) -> Result<()> {
    let device = request.device.clone();
    let output = std::mem::take(&mut request.output);
    let prepared = prepare(request, Mode::Check)
        .with_context(|| untouched(&device))
        .inspect_err(|e| output.audience.failed(e))?;
    announce(&prepared.plan);
    output.audience.event(&json!({"event": "plan", "plan": prepared.plan}));
    term::status("partitions afterwards:");
    prepared.plan.image.partition_lines().iter().for_each(term::status);
    prepared.plan.disk.kept_lines().iter().for_each(term::status);
    term::status(format!("dry run: {} was not touched", prepared.disk.path().display()));
    let report = Report {
        outcome: Outcome::Planned,
        plan: prepared.plan,
        image_digest: None,
        vouched_by: None,
        verified_written: false,
        seconds: None,
    };
    report.write(output.report.as_ref())
}

/// Installs. On failure, the error says whether the disk was touched.
pub fn run(mut request: InstallRequest) -> Result<Report> {
    let output = std::mem::take(&mut request.output);
    let installed = install(request, &output);
    match &installed {
        Ok(report) => output.audience.event(&json!({"event": "installed", "report": report})),
        Err(e) => output.audience.failed(e),
    }
    let report = installed?;
    report
        .write(output.report.as_ref())
        .context("NestOS is installed, but the report could not be written")?;
    Ok(report)
}

fn install(request: InstallRequest, output: &Output) -> Result<Report> {
    let start = clock::instant();
    let compared = request.handling.comparison == Comparison::ReadBack;
    let device = request.device.clone();
    let prepared = prepare(request, Mode::Install).with_context(|| untouched(&device))?;
    announce(&prepared.plan);
    output.audience.event(&json!({"event": "plan", "plan": prepared.plan}));
    let guard = Guard::start().with_context(|| untouched(&device))?;
    let mut progress = Progress::new(output.audience.clone());
    let verified = match perform(&prepared, &mut progress, &guard) {
        Ok(verified) => verified,
        Err(cause) => return Err(abandon(&prepared, cause)),
    };
    drop(guard);
    write::announce_partitions(&prepared.disk);
    term::status(format!("digest: {}", verified.digest()));
    term::status(format!("what vouches for it: {}", verified.vouched_by()));
    term::status(format!("NestOS is installed on {}", prepared.disk.path().display()));
    Ok(Report {
        outcome: Outcome::Installed,
        plan: prepared.plan,
        image_digest: Some(verified.digest().to_string()),
        vouched_by: Some(verified.vouched_by().clone()),
        verified_written: compared,
        seconds: Some(clock::instant().duration_since(start).as_secs_f64()),
    })
}

fn prepare(request: InstallRequest, mode: Mode) -> Result<Prepared> {
    if !request.boot.is_empty() {
        boot::check_editable()?;
    }
    // Nothing of what uses a disk is ended for an image that is not there.
    check_image(&request.image, request.architecture, &request.proof)?;
    let disk = target::claim(&request, mode)?;
    let origin = Origin::find(&request, &disk)?;
    let image = &origin.source;
    let reader = CheckedReader::new(origin.open(&disk, request.retries)?, origin.trust.clone())?;
    let compression = reader.compression();
    let stream = ImageStream::start(reader)?;
    let Piece::Bytes(head) = stream.next(|| Ok(()))? else {
        bail!("{image} is empty");
    };
    let table = judge::read_table(&head).with_context(|| format!("{image} holds no disk image"))?;
    judge::check_fit(&table, &disk)?;
    let note = ImageNote::find(&head);
    judge::check_architecture(note.as_ref(), request.architecture)?;
    if let Some(config) = &request.boot.config {
        judge::check_config(config, note.as_ref(), &disk)?;
    }
    let kept = Kept::read(&disk, table.sector_size(), &request.handling.saved)?;
    for filter in kept.idle() {
        term::warning(format!("{filter} saves nothing: no such partition is on the disk"));
    }
    let layout = Layout::plan(&table, &head, &kept, disk.size())?;
    let boot = if request.boot.is_empty() {
        None
    } else {
        Some(judge::boot_partition(&table).with_context(|| format!("{image} cannot be edited"))?)
    };
    if let Some(partition) = &boot {
        // The whole way to the new /boot, tried on the disk as it is.
        attach(&disk, &table, partition).map(drop)?;
    }
    let wipe = match request.handling.rest {
        Rest::Leave => None,
        Rest::Wipe => Some(wipe::plan(disk.file(), &layout.protected())?),
    };
    let plan = Plan {
        disk: DiskPlan::of(&disk, &layout, wipe.as_ref())?,
        image: ImagePlan {
            source: image.to_string(),
            compression: origin.stored_as().map_or_else(|| compression.to_string(), str::to_owned),
            size: table.disk_size(),
            note,
            partitions: table.partitions().iter().map(PartitionPlan::from).collect(),
        },
        first_boot: FirstBootPlan::of(&request.boot),
    };
    let handling = request.handling;
    Ok(Prepared { disk, stream, table, layout, edits: request.boot, boot, handling, wipe, plan })
}

/// Says what is about to happen.
fn announce(plan: &Plan) {
    plan.image.lines().iter().for_each(term::status);
    plan.first_boot.lines().iter().for_each(term::status);
    plan.disk.lines().iter().for_each(term::status);
}

fn perform(prepared: &Prepared, progress: &mut Progress, guard: &Guard) -> Result<Verified> {
    let unsealed = Unsealed::begin(&prepared.disk, &prepared.layout)?;
    // Not before: until now only the old tables led to saved partitions.
    if let Some(plan) = &prepared.wipe
        && let Discarded::No(reason) = wipe::run(&prepared.disk, plan, || guard.check())?
    {
        term::warning(format!("what no table leads to is still on the disk: {reason}"));
    }
    // The old partitions are gone for the kernel, too: nobody can mount one meanwhile.
    write::announce_partitions(&prepared.disk);
    let verified = write_image(prepared, &unsealed, progress, guard)?;
    if let Some(partition) = &prepared.boot {
        edit_boot(&prepared.disk, &prepared.table, partition, &prepared.edits)
            .context("cannot edit /boot of the new system")?;
    }
    guard.check()?;
    unsealed.seal(&verified)?;
    Ok(verified)
}

/// Writes the body of the image, and compares it if that is asked for.
fn write_image(
    prepared: &Prepared,
    unsealed: &Unsealed<'_, ClaimedDisk>,
    progress: &mut Progress,
    guard: &Guard,
) -> Result<Verified> {
    let (stream, go_on) = (&prepared.stream, || guard.check());
    if prepared.handling.comparison == Comparison::None {
        return unsealed.write_body(stream, progress, go_on);
    }
    let mut written = Written::default();
    let verified = unsealed.write_body_noting(stream, progress, Some(&mut written), go_on)?;
    verify_written(&prepared.disk, &written, progress, go_on)?;
    Ok(verified)
}

fn edit_boot(
    disk: &ClaimedDisk,
    table: &Table,
    partition: &Partition,
    edits: &BootEdits,
) -> Result<()> {
    let device = attach(disk, table, partition)?;
    let notes = mount::inside(device.path(), BOOT_FSTYPE, || {
        boot::check_before_first_boot(edits, Path::new("/"))?;
        boot::apply(edits, Path::new("/"))
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
fn abandon(prepared: &Prepared, cause: anyhow::Error) -> anyhow::Error {
    let disk = &prepared.disk;
    let device = disk.path().display();
    if prepared.handling.failed == FailedDisk::Preserve {
        return cause.context(format!(
            "cannot install on {device}; the disk stays as it is, as --preserve-on-error asks"
        ));
    }
    match write::abandon(disk, &prepared.layout) {
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
