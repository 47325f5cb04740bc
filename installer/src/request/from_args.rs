//! From the command line to requests: everything that needs no disk is checked here.

use std::path::Path;

use anyhow::{Context, Result, anyhow, bail};
use nestos_formats::disk_layout::Arch;
use nestos_formats::kargs::KernelArgs;
use nestos_host::term::{self, WithHint};

use super::{
    Comparison, DryRun, FailedDisk, Handling, Holders, ImageChoice, InstallRequest, Output,
    PostProcessRequest, Proof, Rest, stable, untouched,
};
use crate::boot::BootEdits;
use crate::cli::{InstallArgs, ProgressStyle};
use crate::config::{CheckedConfig, ConfigSource, Loading};
use crate::fetch;
use crate::first_boot::NetworkSettings;
use crate::live::LiveSystem;
use crate::progress::{Audience, Events};
use crate::saved::Filter;

impl TryFrom<InstallArgs> for InstallRequest {
    type Error = anyhow::Error;

    fn try_from(mut args: InstallArgs) -> Result<Self> {
        let device = args.device.take().context("no disk is named")?;
        let output = output(&args).with_context(|| untouched(&device))?;
        let audience = output.audience.clone();
        let request = || -> Result<Self> {
            let boot = BootEdits::try_from(&args)?;
            let proof = Proof {
                digest: args.image_digest,
                unsigned: args.insecure.into(),
                keyring: args.keyring.clone(),
            };
            let failed =
                if args.preserve_on_error { FailedDisk::Preserve } else { FailedDisk::Erase };
            Ok(Self {
                device: device.clone(),
                image: image(&args)?,
                proof,
                architecture: args.architecture.or_else(Arch::of_this_program),
                boot,
                retries: args.fetch_retries,
                handling: Handling {
                    saved: saved(&args),
                    holders: if args.release_holders { Holders::Release } else { Holders::Refuse },
                    comparison: if args.verify_written {
                        Comparison::ReadBack
                    } else {
                        Comparison::None
                    },
                    rest: if args.wipe { Rest::Wipe } else { Rest::Leave },
                    failed,
                },
                output,
            })
        };
        request().with_context(|| untouched(&device)).inspect_err(|e| audience.failed(e))
    }
}

fn saved(args: &InstallArgs) -> Vec<Filter> {
    let labels = args.save_partlabel.iter().cloned().map(Filter::Label);
    labels.chain(args.save_partindex.iter().cloned().map(Filter::Index)).collect()
}

fn image(args: &InstallArgs) -> Result<ImageChoice> {
    let mut stream = stable()?;
    if let Some(base) = &args.stream_base_url {
        stream.base = base.clone();
    }
    if let Some(name) = &args.stream {
        stream.name = name.clone();
        return Ok(ImageChoice::Stream(stream));
    }
    let live = args.live_root.as_deref().map_or_else(LiveSystem::running, LiveSystem::at);
    match ImageChoice::given_or_live(args.image_file.clone(), args.image_url.clone())? {
        ImageChoice::LiveOrStream(..) if args.offline => Ok(ImageChoice::Live(live)),
        ImageChoice::LiveOrStream(..) => Ok(ImageChoice::LiveOrStream(live, stream)),
        given => Ok(given),
    }
}

impl TryFrom<InstallArgs> for PostProcessRequest {
    type Error = anyhow::Error;

    fn try_from(mut args: InstallArgs) -> Result<Self> {
        let device = args.device.take().context("no disk is named")?;
        let request = || -> Result<Self> {
            let boot = BootEdits::try_from(&args)?;
            if boot.is_empty() {
                bail!("--post-process-only has nothing to do without a first-boot option");
            }
            let dry_run = if args.dry_run { DryRun::Yes } else { DryRun::No };
            Ok(Self { device: device.clone(), boot, dry_run })
        };
        request().with_context(|| untouched(&device))
    }
}

impl TryFrom<&InstallArgs> for BootEdits {
    type Error = anyhow::Error;

    fn try_from(args: &InstallArgs) -> Result<Self> {
        let appended: KernelArgs = args.append_karg.iter().cloned().collect();
        appended.check_length()?;
        if args.append_karg.iter().any(|arg| arg.name() == "console") {
            term::warning("--console would tell GRUB of the console, too; --append-karg does not");
        }
        let network = args.copy_network.then(|| NetworkSettings::read(&args.network_dir));
        Ok(Self {
            config: config(args)?,
            network: network.transpose()?.unwrap_or_default(),
            firstboot: args.firstboot_args.clone(),
            platform: args.platform.clone(),
            consoles: args.console.clone(),
            append: args.append_karg.clone(),
            delete: args.delete_karg.clone(),
        })
    }
}

fn config(args: &InstallArgs) -> Result<Option<CheckedConfig>> {
    let mut sources = args.ignition_file.clone();
    if let Some(url) = &args.ignition_url {
        let secured = args.ignition_hash.is_some() || args.insecure_ignition;
        if url.scheme() == "http" && !secured {
            return Err(anyhow!("{} is not encrypted", fetch::shown(url))).hint(
                "whoever controls the network would control the config: use https, give its \
                 digest with --ignition-hash, or accept that with --insecure-ignition",
            );
        }
        sources.push(ConfigSource::Url(url.clone()));
    }
    if args.ignition_hash.is_some() && sources.len() != 1 {
        bail!("--ignition-hash is for one config, not for {}", sources.len());
    }
    let loading = Loading { retries: args.fetch_retries, hash: args.ignition_hash.as_ref() };
    let configs: Result<Vec<CheckedConfig>> =
        sources.iter().map(|source| CheckedConfig::load(source, loading)).collect();
    Ok(CheckedConfig::merge(configs?, args.hostname.as_ref()))
}

/// Fails when a report could not be written, as long as that costs nothing.
fn check_writable(path: &Path) -> Result<()> {
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    tempfile::Builder::new()
        .prefix(".nestos-")
        .tempfile_in(dir)
        .map(drop)
        .with_context(|| format!("cannot write the report {}", path.display()))
}

fn output(args: &InstallArgs) -> Result<Output> {
    let audience = match args.progress {
        ProgressStyle::Auto => Audience::Person,
        ProgressStyle::Plain => Audience::Lines,
        ProgressStyle::None => Audience::Nobody,
        ProgressStyle::Json => {
            let file = nestos_host::inherited(args.progress_fd);
            let file = file
                .with_context(|| format!("file descriptor {} is not open", args.progress_fd))
                .hint(
                    "open it in the shell: nestos-installer ... --progress-fd 3 3>progress.json",
                )?;
            Audience::Program(Events::new(file))
        }
    };
    if let Some(path) = args.report.as_deref().filter(|path| *path != Path::new("-")) {
        check_writable(path)?;
    }
    Ok(Output { audience, report: args.report.clone() })
}
