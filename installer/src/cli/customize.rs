//! Options that `iso customize` and `pxe customize` share.

use std::path::PathBuf;

use clap::Args;
use nestos_formats::console::Console;
use nestos_formats::kargs::Karg;

use crate::selector::DeviceSpec;

/// What a live system is given on its way, and what it installs.
#[derive(Debug, Default, Args)]
pub struct CustomizeArgs {
    /// Config for the first boot of the installed system; may be repeated
    ///
    /// Ignition or Butane; several are merged, and later ones win. Each is
    /// checked as by install --ignition-file.
    #[arg(long, value_name = "PATH", help_heading = "Installed system")]
    pub dest_ignition: Vec<PathBuf>,

    /// Disk to install to: a path, a name or a selector
    ///
    /// The media install to it without a question.
    #[arg(long, value_name = "DEVICE", help_heading = "Installed system")]
    pub dest_device: Option<DeviceSpec>,

    /// Console of GRUB and the kernel; may be repeated
    #[arg(long, value_name = "CONSOLE", help_heading = "Installed system")]
    pub dest_console: Vec<Console>,

    /// Kernel argument to add; may be repeated
    #[arg(long, value_name = "ARG", help_heading = "Installed system")]
    pub dest_karg_append: Vec<Karg>,

    /// Kernel argument to remove; may be repeated
    #[arg(long, value_name = "ARG", help_heading = "Installed system")]
    pub dest_karg_delete: Vec<Karg>,

    /// Keyfile of NetworkManager, for both systems; may be repeated
    #[arg(long, value_name = "PATH", help_heading = "Both systems")]
    pub network_keyfile: Vec<PathBuf>,

    /// Network settings of nmstate; they have to be converted first
    #[arg(long, value_name = "PATH", help_heading = "Both systems")]
    pub network_nmstate: Vec<PathBuf>,

    /// Certificates (PEM) that Ignition trusts; may be repeated
    #[arg(long, value_name = "PATH", help_heading = "Both systems")]
    pub ignition_ca: Vec<PathBuf>,

    /// Script to run before the installation; may be repeated
    ///
    /// If one fails, nothing is installed.
    #[arg(long, value_name = "PATH", help_heading = "Live system")]
    pub pre_install: Vec<PathBuf>,

    /// Script to run after the installation; may be repeated
    #[arg(long, value_name = "PATH", help_heading = "Live system")]
    pub post_install: Vec<PathBuf>,

    /// Option file for install --config-file; may be repeated
    #[arg(long, value_name = "PATH", help_heading = "Live system")]
    pub installer_config: Vec<PathBuf>,

    /// Config for the live system; may be repeated
    #[arg(long, value_name = "PATH", help_heading = "Live system")]
    pub live_ignition: Vec<PathBuf>,
}
