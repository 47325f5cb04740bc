//! First-boot options for a disk that has an image already: written by somebody else, or while the
//! config was not known yet.

use anyhow::{Context, Result, anyhow};
use nestos_formats::image_note::ImageNote;
use nestos_host::blockdev::Kind;
use nestos_host::gpt_disk::{HEAD_LEN, Table};
use nestos_host::interrupt::Guard;
use nestos_host::term;

use super::{FirstBootPlan, edit_boot, judge, target};
use crate::boot;
use crate::request::{DryRun, PostProcessRequest, untouched};
use crate::write;

/// Applies first-boot options. What can be known to fail does so before anything is written, each
/// file of `/boot` is replaced whole, and the config comes last: without it the first boot waits for
/// nobody, and with it everything else is there.
///
/// A dry run ends when everything is checked that can be without writing.
pub fn run(request: &PostProcessRequest) -> Result<()> {
    let device = request.device.to_string();
    let checked = || -> Result<_> {
        boot::check_editable()?;
        let disk = target::claim_as_it_is(&request.device)?;
        let mut head = vec![0; HEAD_LEN];
        disk.read_at(&mut head, 0)?;
        let table = Table::parse(&head).with_context(|| format!("{device} has no image"))?;
        if let Kind::Device(actual) = disk.kind()
            && actual != table.sector_size()
        {
            return Err(anyhow!("the table of {device} is for other sectors"));
        }
        let partition =
            judge::boot_partition(&table).with_context(|| format!("{device} has no image"))?;
        if let Some(config) = &request.boot.config {
            judge::check_config(config, ImageNote::find(&head).as_ref(), &disk)?;
        }
        Ok((disk, table, partition))
    };
    let (disk, table, partition) = checked().with_context(|| untouched(&request.device))?;
    FirstBootPlan::of(&request.boot).lines().iter().for_each(term::status);
    if request.dry_run == DryRun::Yes {
        term::status(format!("dry run: {device} was not touched"));
        return Ok(());
    }
    let guard = Guard::start().with_context(|| untouched(&request.device))?;
    edit_boot(&disk, &table, &partition, &request.boot)
        .with_context(|| format!("cannot edit /boot of {device}; its image is unharmed"))?;
    disk.sync()?;
    drop(guard);
    write::announce_partitions(&disk);
    term::status(format!("the first-boot options are on {device}"));
    Ok(())
}
