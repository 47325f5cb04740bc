//! An image is compressed, signed and released to a stream; a machine is installed from there with
//! a partition of its old life, a name and network settings, and comes up with all of them.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use nestos_host::cmd::Cmd;
use nestos_tests::{BOOT_TIME, Checks, OFF_TIME, StaleDisk, Suite, WebServer, timed};
use nestos_vm::{Disk, Firmware, Format, Machine, Ssh, SshKey};

const GIB: u64 = 1 << 30;
const DISK_SIZE: u64 = 10 * GIB;
/// Where the partition that stays begins, in sectors; it ends 1 GiB later.
const DATA_SECTOR: u64 = 8 * GIB / 512;

const CONFIG: &str = "variant: nestos
version: 1.0.0
passwd:
  users:
    - name: ada
      groups: [wheel, sudo]
      ssh_authorized_keys:
        - SSH_KEY
systemd:
  units:
    - name: var-data.mount
      enabled: true
      contents: |
        [Mount]
        What=/dev/disk/by-partlabel/data-1
        Where=/var/data
        Type=ext4
        [Install]
        WantedBy=local-fs.target
";

const NETWORK: &str = "[connection]
id=from-the-installer
type=ethernet
autoconnect-priority=10
[ipv4]
method=auto
[ipv6]
method=auto
";

#[test]
fn a_signed_image_of_a_stream_is_installed_beside_old_data_and_boots() -> Result<()> {
    let Some(suite) = Suite::find_in_full_run("install_from_stream")? else { return Ok(()) };
    let release = timed("releasing the image", || Release::make(&suite))?;
    let key = SshKey::generate()?;
    let config = suite.compile("config", &CONFIG.replace("SSH_KEY", &key.public()?))?;
    let disk = StaleDisk::create(&suite.dir().join("disk.raw"), DISK_SIZE)?;
    let data = add_data(&suite, disk.path())?;
    let device = disk.attach()?;
    let report = install(&suite, &release, device.path(), &config)?;
    ensure!(report.contains("release@example.com"), "the report names no signer: {report}");
    drop(device);
    ensure!(read_data(disk.path())? == data, "the saved partition changed");
    Cmd::new("sgdisk").arg("--verify").arg(disk.path()).run()?;
    install_by_url(&suite, &release)?;

    let vm = Machine::new("install-from-stream")
        .firmware(Firmware::Uefi)
        .cpus(2)
        .disk(Disk::in_place(disk.path(), Format::Raw))
        .start()?;
    let ssh = timed("first boot", || vm.wait_ssh("ada", &key, BOOT_TIME))?;
    timed("checks", || check(&ssh))?;
    drop(ssh);
    timed("switching off", || vm.power_off(OFF_TIME))?;
    vm.done()
}

/// What somebody who releases images has, and a web server that offers it.
struct Release {
    server: WebServer,
    /// The image that is offered.
    raw: PathBuf,
    /// Where the server has it.
    url: String,
    key: PathBuf,
}

impl Release {
    fn make(suite: &Suite) -> Result<Self> {
        let area = suite.release_area("metal")?;
        let builds = area.join("builds");
        let build = builds.join("latest").join(std::env::consts::ARCH).canonicalize()?;
        let name = suite.image("metal")?;
        let name = name.file_name().context("the image has no name")?.to_string_lossy();
        let (raw, packed) = (build.join(&*name), build.join(format!("{name}.zst")));
        let nosa = || Cmd::new(suite.program("nosa")).arg("-C").arg(&area);
        nosa().args(["compress", "--format", "zst", "--level", "1"]).arg(&raw).run()?;
        let key = sign(suite, &packed)?;
        let server = WebServer::start_in(builds.clone())?;
        nosa()
            .args(["generate-release-meta", "--stream", "e2e", "--base-url", &server.url()])
            .arg("--output")
            .arg(builds.join("streams"))
            .run()?;
        let folder = build.strip_prefix(builds.canonicalize()?)?.display().to_string();
        let url = format!("{}{folder}/{name}.zst", server.url());
        Ok(Self { server, raw, url, key })
    }
}

/// Signs a file with a new key and returns the public part.
fn sign(suite: &Suite, file: &Path) -> Result<PathBuf> {
    let home = suite.dir().join("gnupg");
    Cmd::new("install").args(["-d", "-m", "700"]).arg(&home).run()?;
    let gpg = || Cmd::new("gpg").args(["--batch", "--quiet", "--homedir"]).arg(&home);
    gpg()
        .args(["--passphrase", "", "--quick-generate-key", "Release <release@example.com>"])
        .args(["ed25519", "sign", "never"])
        .run()?;
    gpg().arg("--detach-sign").arg(file).run()?;
    let key = suite.dir().join("release-key.gpg");
    gpg().arg("--output").arg(&key).arg("--export").run()?;
    // The agent would outlive the test.
    Cmd::new("gpgconf").arg("--homedir").arg(&home).args(["--kill", "all"]).run()?;
    Ok(key)
}

/// Gives a disk another partition with a file in it; returns the partition's content.
fn add_data(suite: &Suite, disk: &Path) -> Result<Vec<u8>> {
    let tree = suite.dir().join("data");
    fs::create_dir(&tree)?;
    fs::write(tree.join("kept"), "from before\n")?;
    let image = suite.dir().join("data.img");
    fs::File::create(&image)?.set_len(GIB)?;
    Cmd::new("mkfs.ext4").arg("-q").arg("-d").args([&tree, &image]).run()?;
    let end = DATA_SECTOR + GIB / 512 - 1;
    // The last partition of the old disk reaches to its end.
    Cmd::new("sgdisk")
        .arg("--delete=3")
        .args([format!("--new=9:{DATA_SECTOR}:{end}"), "--change-name=9:data-1".to_owned()])
        .arg(disk)
        .run()?;
    Cmd::new("dd")
        .args(["bs=1M", "conv=notrunc,sparse", "status=none"])
        .arg(format!("if={}", image.display()))
        .arg(format!("of={}", disk.display()))
        .arg(format!("seek={}", DATA_SECTOR * 512 / (1 << 20)))
        .run()?;
    fs::remove_file(&image)?;
    read_data(disk)
}

/// Returns the digest of the partition.
fn read_data(disk: &Path) -> Result<Vec<u8>> {
    let (from, mib) = (DATA_SECTOR * 512 / (1 << 20), GIB / (1 << 20));
    let script = format!("dd if=\"$1\" bs=1M skip={from} count={mib} status=none | sha256sum");
    Cmd::new("sh").args(["-c", &script, "sh"]).arg(disk).output_bytes()
}

/// Installs with every option that an admin with an old disk uses; returns the report.
fn install(suite: &Suite, release: &Release, disk: &Path, config: &Path) -> Result<String> {
    let network = suite.dir().join("network");
    fs::create_dir(&network)?;
    fs::write(network.join("from-the-installer.nmconnection"), NETWORK)?;
    let report = suite.dir().join("report.json");
    let command = Cmd::new(suite.program("nestos-installer"))
        .args(["install", "--stream", "e2e", "--stream-base-url"])
        .arg(format!("{}streams/", release.server.url()))
        .arg("--keyring")
        .arg(&release.key)
        .args(["--save-partlabel", "data*", "--verify-written", "--wipe"])
        .args(["--hostname", "stream-node", "--console", "ttyS0,115200n8", "--ignition-file"])
        .arg(config)
        .args(["--copy-network", "--network-dir"])
        .arg(&network)
        .arg("--report")
        .arg(&report)
        .arg(disk);
    timed("installing from the stream", || command.run())?;
    Ok(fs::read_to_string(report)?)
}

/// The same image by its address, to a file: the body is that of the image.
fn install_by_url(suite: &Suite, release: &Release) -> Result<()> {
    let disk = suite.dir().join("by-url.raw");
    fs::File::create(&disk)?.set_len(DISK_SIZE)?;
    let command = Cmd::new(suite.program("nestos-installer"))
        .args(["install", "--image-url", &release.url, "--keyring"])
        .arg(&release.key)
        .arg(&disk);
    timed("installing from the address", || command.run())?;
    let length = fs::metadata(&release.raw)?.len() - (2 << 20);
    let same = Cmd::new("cmp")
        .args(["--ignore-initial=1048576", &format!("--bytes={length}")])
        .args([&release.raw, &disk])
        .run();
    fs::remove_file(&disk)?;
    same.context("what was written is not the image")
}

fn check(ssh: &Ssh) -> Result<()> {
    let mut checks = Checks::new(ssh);
    checks.no_failed_units();
    checks.prints("hostname", "stream-node");
    checks.prints("cat /var/data/kept", "from before");
    checks.judge("df --block-size=1 --output=size /sysroot | tail -n 1", |size| {
        match size.trim().parse::<u64>() {
            Ok(bytes) if bytes > 6 * GIB && bytes < 8 * GIB => Ok(()),
            _ => Err("root did not grow to the partition that was saved".to_owned()),
        }
    });
    checks.prints("nmcli -g GENERAL.CONNECTION device show | grep -c '^from-the-installer$'", "1");
    let settings = "/etc/NetworkManager/system-connections/from-the-installer.nmconnection";
    checks.prints(&format!("sudo stat -c %a {settings}"), "600");
    checks.prints(
        "sudo ls /boot/nestos-firstboot-network /boot/ignition 2>&1 | grep -c 'No such'",
        "2",
    );
    checks.finish()
}
