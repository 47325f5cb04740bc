//! A node's life with updates: rebase to an image of a registry, upgrade by its tag, roll back,
//! choose in the boot menu; then the service alone: a good image, one that fails its check, one
//! whose kernel panics, and a good one again. The menu and the last image are in the full run.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use nestos_host::cmd::Cmd;
use nestos_tests::{BOOT_TIME, Checks, Layer, Layout, OFF_TIME, Registry, Suite, timed};
use nestos_vm::{Disk, Firmware, Format, Machine, Ssh, SshKey, Vm};
use serde_json::Value;

/// How long an import may take in the guest.
const IMPORT_TIME: Duration = Duration::from_secs(600);
/// How long the service may take from a push to the reboot.
const SERVICE_TIME: Duration = Duration::from_secs(600);
/// How long GRUB may take to answer a key, which includes loading the kernel.
const MENU_TIME: Duration = Duration::from_secs(120);
/// Among the first lines of a kernel.
const KERNEL_STARTED: &str = "Booting paravirtualized kernel";
/// How often GRUB tries an update before it falls back.
const TRIES: u32 = 3;
const GIB: u64 = 1 << 30;
const REMOVED: &str = "/usr/bin/lsattr";
const ADDED_PACKAGE: &str = "/usr/bin/tree";

const CONFIG: &str = r#"variant: nestos
version: 1.0.0
passwd:
  users:
    - name: nest
      ssh_authorized_keys:
        - SSH_KEY
storage:
  files:
    - path: /etc/containers/registries.conf.d/e2e.conf
      contents:
        inline: |
REGISTRY
    - path: /etc/nestos-updater/config.d/50-e2e.toml
      contents:
        inline: |
          agent.timing.steady_interval_secs = 5
          updates.enabled = false
"#;

#[test]
fn a_node_is_updated_by_hand_and_by_the_service_and_falls_back() -> Result<()> {
    let Some(suite) = Suite::find("update")? else { return Ok(()) };
    let Some(world) = World::prepare(&suite)? else { return Ok(()) };
    let disk = suite.dir().join("disk.raw");
    std::fs::File::create(&disk)?.set_len(10 * GIB)?;
    // A panic is over at once; what else it waits for is not tested here.
    suite.install(&disk, &world.config, &["panic=1"])?;
    let vm = Machine::new("update")
        .firmware(Firmware::Uefi)
        .memory_mib(2048)
        .disk(Disk::in_place(&disk, Format::Raw))
        .start()?;
    let node = Node { vm, world };
    let ssh = timed("first boot", || node.login())?;
    let ssh = by_hand(&node, ssh)?;
    let ssh = back(&suite, &node, ssh)?;
    by_the_service(&suite, &node, ssh)?;
    timed("switching off", || node.vm.power_off(OFF_TIME))?;
    node.vm.done()?;
    timed("ostree fsck", || repository_is_sound(&disk, &suite.dir().join("root")))
}

/// Checks every object of the node's repository, from outside: emulation would take minutes for it.
fn repository_is_sound(disk: &Path, mount_point: &Path) -> Result<()> {
    let table = Cmd::new("sfdisk").arg("--json").arg(disk).output()?;
    let table: Value = serde_json::from_str(&table).context("sfdisk's JSON")?;
    let partitions = table["partitiontable"]["partitions"].as_array().context("no partitions")?;
    let root = partitions.iter().find(|p| p["name"] == "root").context("no root partition")?;
    let offset = root["start"].as_u64().context("root has no start")? * 512;
    std::fs::create_dir(mount_point)?;
    let options = format!("ro,loop,offset={offset}");
    Cmd::new("mount").args(["-o", &options]).arg(disk).arg(mount_point).run()?;
    let repo = mount_point.join("ostree/repo");
    let checked = Cmd::new("ostree").arg("fsck").arg("--repo").arg(&repo).run();
    let refs = Cmd::new("ostree").args(["refs", "--repo"]).arg(&repo).output();
    Cmd::new("umount").arg(mount_point).run()?;
    checked?;
    // What was rolled back and denied has left nothing: one image, and the layers of two.
    let refs = refs?;
    let images = refs.lines().filter(|r| r.starts_with("ostree/container/image/")).count();
    ensure!(images == 1, "{images} images are left:\n{refs}");
    Ok(())
}

/// The registry, the images to push and the config of the node.
struct World {
    registry: Registry,
    layout: Layout,
    /// Tag of version 2 in the layout.
    v2: String,
    key: SshKey,
    config: PathBuf,
}

impl World {
    fn prepare(suite: &Suite) -> Result<Option<Self>> {
        let Some(archive) = suite.next_image()? else { return Ok(None) };
        let registry = Registry::start(&suite.dir().join("registry"))?;
        let layout = timed("unpacking", || Layout::unpack(&archive, &suite.dir().join("layout")))?;
        let v2 = layout.only_tag()?;
        let key = SshKey::generate()?;
        let conf: String =
            registry.guest_conf().lines().map(|l| format!("          {l}\n")).collect();
        let text = CONFIG.replace("SSH_KEY", &key.public()?).replace("REGISTRY\n", &conf);
        let config = suite.compile("config", &text)?;
        Ok(Some(Self { registry, layout, v2, key, config }))
    }

    /// Pushes an image of the layout to the tag that the node follows.
    fn push(&self, tag: &str) -> Result<()> {
        timed(&format!("pushing {tag}"), || {
            self.registry.push(&self.layout.name(tag), "nestos:stable")
        })
    }

    /// Derives an image and pushes it; returns its digest.
    fn push_derived(&self, base: &str, tag: &str, layer: &Layer) -> Result<String> {
        let digest = self.layout.derive(base, tag, layer)?;
        self.push(tag)?;
        Ok(digest)
    }

    fn reference(&self) -> String {
        format!("ostree-unverified-registry:{}", self.registry.guest_name("nestos:stable"))
    }
}

struct Node {
    vm: Vm,
    world: World,
}

impl Node {
    fn login(&self) -> Result<Ssh> {
        let ssh = self.vm.wait_ssh("nest", &self.world.key, BOOT_TIME)?;
        Ok(ssh.timeout(IMPORT_TIME))
    }

    fn reboot(&self, what: &str, ssh: Ssh) -> Result<Ssh> {
        timed(what, || {
            self.vm.reboot(ssh, OFF_TIME)?;
            self.login()
        })
    }

    /// Waits for so many resets that nobody asked for, then for the login.
    fn resets(&self, what: &str, count: u32) -> Result<Ssh> {
        timed(what, || {
            for n in 0..count {
                let time = if n == 0 { SERVICE_TIME } else { BOOT_TIME };
                self.vm.wait_reset(time).with_context(|| format!("reset {} of {count}", n + 1))?;
            }
            self.vm.serial().skip_to_end();
            self.login()
        })
    }
}

/// What `status --json` says.
fn status(ssh: &Ssh) -> Result<Value> {
    let text = ssh.check("nestos-updater status --json")?;
    serde_json::from_str(&text).with_context(|| format!("status is no JSON: {text}"))
}

fn booted(status: &Value) -> Result<&Value> {
    let deployments = status["deployments"].as_array().context("no deployments")?;
    deployments.iter().find(|d| d["booted"] == true).context("nothing is booted")
}

fn runs(ssh: &Ssh, version: &str) -> Result<()> {
    let status = status(ssh)?;
    let found = &booted(&status)?["version"];
    ensure!(found == version, "{found} runs, not {version}: {status:#}");
    let mut checks = Checks::new(ssh);
    checks.no_failed_units();
    checks.prints("cat /etc/e2e-local", "local");
    checks.prints("cat /var/lib/e2e-data", "data");
    checks.finish()
}

fn boot_checksum(ssh: &Ssh) -> Result<String> {
    let line = ssh.check("cat /proc/cmdline")?;
    let path = line.split(' ').find_map(|word| word.strip_prefix("ostree="));
    let checksum = path.and_then(|path| path.split('/').nth(4));
    Ok(checksum.with_context(|| format!("no ostree= in {line}"))?.to_owned())
}

fn by_hand(node: &Node, ssh: Ssh) -> Result<Ssh> {
    let world = &node.world;
    let first = status(&ssh)?;
    let origin = &booted(&first)?["origin"];
    ensure!(origin == "openEuler/x86_64/nestos/stable", "the first origin is {origin}");
    ssh.check("echo local | sudo tee /etc/e2e-local; echo data | sudo tee /var/lib/e2e-data")?;
    let no_image = ssh.run("sudo nestos-updater upgrade")?;
    ensure!(no_image.stderr.contains("not an image"), "{no_image:?}");
    let before = boot_checksum(&ssh)?;

    world.push(&world.v2)?;
    let rebase = format!("sudo rpm-ostree rebase --bypass-driver {}", world.reference());
    timed("rebase to v2", || ssh.check(&rebase))?;
    ensure!(status(&ssh)?["deployments"][0]["staged"] == true, "v2 is not staged");
    let ssh = node.reboot("reboot into v2", ssh)?;
    let version = world.v2.trim_end_matches("-x86_64").to_owned();
    runs(&ssh, &version)?;
    ensure!(boot_checksum(&ssh)? != before, "kernel and initramfs are those of v1");
    let mut checks = Checks::new(&ssh);
    checks.prints(&format!("test -x {ADDED_PACKAGE} && ! test -e {REMOVED}"), "");
    checks.prints("sudo nestos-updater upgrade", "no change");
    let origin = format!("[origin]\ncontainer-image-reference={}", world.reference());
    checks.prints(
        "sudo sh -c 'cat /ostree/deploy/nestos/deploy/*.origin | grep -B1 container-'",
        &origin,
    );
    checks.judge("sudo ostree refs --list ostree/container/image", |refs| {
        let port = world.registry.guest_name("nestos").replace("10.0.2.2:", "");
        let port = port.trim_end_matches("/nestos");
        let name = format!(
            "ostree/container/image/docker_3A__2F__2F_10_2E_0_2E_2_2E_2_3A_{port}/nestos_3A_stable"
        );
        if refs == name { Ok(()) } else { Err(format!("not {name}")) }
    });
    checks.finish()?;
    let log = world.registry.log()?;
    for request in ["GET /v2/nestos/manifests/", "GET /v2/nestos/blobs/sha256:"] {
        ensure!(log.contains(request), "the registry saw no {request}");
    }

    let layer = Layer::default()
        .file("usr/share/e2e/v3", 0o644, "three")
        .file("etc/e2e-image", 0o600, "from the image")
        .without("usr/bin/tree");
    world.push_derived(&world.v2, "v3", &layer)?;
    ensure!(
        ssh.check("sudo nestos-updater upgrade --check")?.starts_with("update available: v3 ("),
        "v3 is not seen"
    );
    timed("upgrade to v3", || ssh.check("sudo nestos-updater upgrade"))?;
    let ssh = node.reboot("reboot into v3", ssh)?;
    runs(&ssh, "v3")?;
    let mut checks = Checks::new(&ssh);
    checks.prints("cat /usr/share/e2e/v3; sudo cat /etc/e2e-image", "threefrom the image");
    checks.prints(&format!("test ! -e {ADDED_PACKAGE}"), "");
    checks.finish()?;
    Ok(ssh)
}

/// Rolls back to v2; in the full run with the guide's 9.4.1 on the way.
fn back(suite: &Suite, node: &Node, ssh: Ssh) -> Result<Ssh> {
    let version = node.world.v2.trim_end_matches("-x86_64").to_owned();
    ssh.check("sudo nestos-updater rollback")?;
    ensure!(status(&ssh)?["deployments"][0]["version"] == version.as_str(), "v2 is not first");
    let ssh = if suite.is_full() { past_the_menu(node, ssh)? } else { ssh };
    let ssh = node.reboot("rolled back to v2", ssh)?;
    runs(&ssh, &version)?;
    Ok(ssh)
}

/// The guide's 9.4.1: the second entry of the menu, v3, once.
fn past_the_menu(node: &Node, ssh: Ssh) -> Result<Ssh> {
    node.vm.reboot(ssh, OFF_TIME)?;
    let ssh = timed("booting the second entry", || {
        // The older deployment is the second line; the menu itself calls the keys ^ and v.
        let console = node.vm.serial();
        console.expect("v3 (ostree:1)", BOOT_TIME)?;
        console.press_until("v", "*NestOS v3 (ostree:1)", MENU_TIME)?;
        console.press_until("\r", KERNEL_STARTED, MENU_TIME)?;
        node.login()
    })?;
    runs(&ssh, "v3")?;
    Ok(ssh)
}

fn by_the_service(suite: &Suite, node: &Node, ssh: Ssh) -> Result<()> {
    let world = &node.world;
    ssh.check(
        "printf 'agent.timing.steady_interval_secs = 5\nupdates.strategy = \"immediate\"\n' \
         | sudo tee /etc/nestos-updater/config.d/50-e2e.toml && sudo systemctl restart nestos-updater",
    )?;
    // The digest that was rolled back from is still what the tag names: nothing may happen.
    std::thread::sleep(Duration::from_secs(20));
    ensure!(status(&ssh)?["deployments"][0]["booted"] == true, "what was rolled back is staged");

    node.vm.qmp().forget_events()?;
    let v4 = Layer::default().file("usr/share/e2e/v4", 0o644, "four");
    world.push_derived(&world.v2, "v4", &v4)?;
    drop(ssh);
    let ssh = node.resets("the service takes v4", 1)?;
    runs(&ssh, "v4")?;

    node.vm.qmp().forget_events()?;
    let check = "usr/lib/nestos-updater/health.d/required.d/50-e2e";
    let v5 = Layer::default().file(check, 0o755, "#!/bin/sh\necho broken on purpose\nexit 1\n");
    let v5 = world.push_derived("v4", "v5", &v5)?;
    drop(ssh);
    let ssh = node.resets("v5 fails its health check", 2)?;
    runs(&ssh, "v4")?;
    denied(&ssh, &v5, "health-check")?;

    node.vm.qmp().forget_events()?;
    let kernel = ssh.check("uname -r")?;
    let initramfs = format!("usr/lib/modules/{kernel}/initramfs.img");
    let v6 = Layer::default().file(&initramfs, 0o600, "no initramfs at all");
    let v6 = world.push_derived("v4", "v6", &v6)?;
    drop(ssh);
    let ssh = node.resets("v6 panics until GRUB falls back", 1 + TRIES)?;
    runs(&ssh, "v4")?;
    denied(&ssh, &v6, "boot-failed")?;
    if !suite.is_full() {
        return Ok(());
    }

    node.vm.qmp().forget_events()?;
    let v7 = Layer::default().file("usr/share/e2e/v7", 0o644, "seven");
    world.push_derived("v4", "v7", &v7)?;
    drop(ssh);
    let ssh = node.resets("the service takes v7", 1)?;
    runs(&ssh, "v7")
}

fn denied(ssh: &Ssh, digest: &str, reason: &str) -> Result<()> {
    let status = status(ssh)?;
    let denied = status["updater"]["denied"].as_array().context("nothing is denied")?;
    let found = denied.iter().find(|d| d["digest"] == digest);
    let found = found.with_context(|| format!("{digest} is not denied: {status:#}"))?;
    ensure!(found["reason"]["kind"] == reason, "denied, but {found}");
    Ok(())
}
