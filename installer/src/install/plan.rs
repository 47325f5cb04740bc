//! What an installation is going to do, as a value: said before the first byte is written, printed
//! by `--dry-run`, and part of the report.

use nestos_formats::image_note::ImageNote;
use nestos_host::blockdev::{ClaimedDisk, Kind};
use nestos_host::gpt_disk::Partition;
use nestos_host::wipe;
use serde::Serialize;

use crate::boot::BootEdits;
use crate::saved::Layout;

pub(super) const MIB: u64 = 1024 * 1024;

/// One installation, before it happens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Plan {
    /// The disk.
    pub disk: DiskPlan,
    /// The image.
    pub image: ImagePlan,
    /// What changes in `/boot`.
    pub first_boot: FirstBootPlan,
}

/// The disk of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DiskPlan {
    /// Path as given, or as found.
    pub path: String,
    /// Manufacturer's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Bytes.
    pub size: u64,
    /// Bytes of a sector; nothing for a file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sector_size: Option<u32>,
    /// Partitions that will be lost.
    pub erased: Vec<PartitionPlan>,
    /// Partitions that are saved, with their new numbers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub kept: Vec<PartitionPlan>,
    /// What is recognised on a disk without partitions in a GPT; lost, too.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub recognised: Vec<String>,
    /// What a wipe erases besides; nothing without one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub wiped: Vec<String>,
}

/// A partition of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PartitionPlan {
    /// Number.
    pub number: usize,
    /// Name in the table.
    pub label: String,
    /// First byte.
    pub start: u64,
    /// Bytes.
    pub size: u64,
}

impl From<&Partition> for PartitionPlan {
    fn from(p: &Partition) -> Self {
        Self { number: p.number, label: p.name.clone(), start: p.start, size: p.length }
    }
}

/// The image of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ImagePlan {
    /// Path or address, without secrets.
    pub source: String,
    /// How it is stored.
    pub compression: String,
    /// Bytes on the disk.
    pub size: u64,
    /// What the image says it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<ImageNote>,
    /// Its partitions.
    pub partitions: Vec<PartitionPlan>,
}

/// What changes in `/boot`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FirstBootPlan {
    /// Whether there is a config.
    pub config: bool,
    /// Names of network settings.
    pub network: Vec<String>,
    /// Platform instead of the image's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub platform: Option<String>,
    /// Consoles instead of the platform's.
    pub consoles: Vec<String>,
    /// Kernel arguments to add.
    pub append_kargs: Vec<String>,
    /// Kernel arguments to remove.
    pub delete_kargs: Vec<String>,
}

impl DiskPlan {
    /// Looks at a disk.
    pub(super) fn of(
        disk: &ClaimedDisk,
        layout: &Layout,
        wipe: Option<&wipe::Plan>,
    ) -> anyhow::Result<Self> {
        let summary = layout.summary();
        // Other tables, and disks without any, are described by what is recognised on them.
        let recognised = match wipe {
            None if summary.lost.is_empty() => {
                wipe::plan(disk.file(), &layout.protected())?.lines()
            }
            _ => vec![],
        };
        Ok(Self {
            path: disk.path().display().to_string(),
            model: disk.model(),
            size: disk.size(),
            sector_size: match disk.kind() {
                Kind::Device(sector) => Some(sector.bytes()),
                Kind::File => None,
            },
            erased: summary.lost.iter().map(PartitionPlan::from).collect(),
            kept: summary.kept.iter().map(|k| PartitionPlan::from(&k.partition)).collect(),
            recognised,
            wiped: wipe.map(wipe::Plan::lines).unwrap_or_default(),
        })
    }

    /// Returns lines for a person: the disk, and what will be lost.
    pub fn lines(&self) -> Vec<String> {
        let model = self.model.as_deref().map(|m| format!(" {m},")).unwrap_or_default();
        let mut lines = vec![format!("disk: {},{model} {} MiB", self.path, self.size / MIB)];
        if !self.kept.is_empty() {
            lines.push("these partitions are kept:".to_owned());
            lines.extend(self.kept_lines());
        }
        lines.push(match (self.kept.is_empty(), self.erased.is_empty()) {
            (true, true) => "everything on it will be lost".to_owned(),
            (true, false) => "everything on it will be lost, its partitions included:".to_owned(),
            (false, true) => "everything else on it will be lost".to_owned(),
            (false, false) => "everything else on it will be lost:".to_owned(),
        });
        lines.extend(self.erased.iter().map(PartitionPlan::line));
        lines.extend(self.recognised.iter().map(|line| format!("  {line}")));
        if !self.wiped.is_empty() {
            lines.push("it will be wiped:".to_owned());
            lines.extend(self.wiped.iter().map(|line| format!("  {line}")));
        }
        lines
    }
}

impl DiskPlan {
    /// Returns lines for a person: what is kept.
    pub fn kept_lines(&self) -> Vec<String> {
        self.kept.iter().map(PartitionPlan::line).collect()
    }
}

impl PartitionPlan {
    fn line(&self) -> String {
        format!("  {:>3} {:<20} {} MiB", self.number, self.label, self.size / MIB)
    }
}

impl ImagePlan {
    /// Returns lines for a person: the image.
    pub fn lines(&self) -> Vec<String> {
        let note = self.note.as_ref();
        let title = note.map(|n| format!("{}, {}, ", n.title, n.architecture)).unwrap_or_default();
        let packed = &self.compression;
        vec![
            format!("image: {} ({packed})", self.source),
            format!("to be written: {title}{} MiB", self.size.div_ceil(MIB)),
        ]
    }

    /// Returns lines for a person: what will be on the disk.
    pub fn partition_lines(&self) -> Vec<String> {
        self.partitions.iter().map(PartitionPlan::line).collect()
    }
}

impl FirstBootPlan {
    /// Says what is going to change, without any secret.
    pub(super) fn of(edits: &BootEdits) -> Self {
        let texts = |list: &[nestos_formats::kargs::Karg]| {
            list.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        Self {
            config: edits.config.is_some(),
            network: edits.network.names().map(str::to_owned).collect(),
            platform: edits.platform.as_ref().map(|p| p.as_str().to_owned()),
            consoles: edits.consoles.iter().map(ToString::to_string).collect(),
            append_kargs: texts(&edits.append),
            delete_kargs: texts(&edits.delete),
        }
    }

    /// Returns lines for a person.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        let mut add = |what: &str, list: &[String]| {
            if !list.is_empty() {
                lines.push(format!("{what}: {}", list.join(" ")));
            }
        };
        add("network settings", &self.network);
        add("platform", self.platform.as_slice());
        add("consoles", &self.consoles);
        add("kernel arguments to add", &self.append_kargs);
        add("kernel arguments to remove", &self.delete_kargs);
        let config = if self.config { "the given one" } else { "none: nobody can log in" };
        lines.insert(0, format!("config of the first boot: {config}"));
        lines
    }
}
