//! Neither the password nor its hash is where anybody can read it: not in the command line or the
//! environment of any process, not in any file but those of mode 0600 and the new disk.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::SystemTime;

use nestos_host::clock;
use nestos_host::cmd::Cmd;

use super::converse;
use super::screen::{Screen, disk, terminals};
use crate::support::{Bench, MIB, boot_file, image, loop_devices};

/// Nobody else has it, so that whoever shows it got it from us.
const SECRET: &str = "zvf8-horse-Staple-qLm";

/// Where programs leave files.
const PLACES: [&str; 7] = ["/tmp", "/run", "/var/tmp", "/var/log", "/root", "/dev/shm", "/etc"];

/// Most bytes of a file that are looked at.
const LIMIT: u64 = 32 * 1024 * 1024;

/// Reads what every process shows of itself, again and again, until it is stopped.
struct Watch {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<(Vec<String>, usize)>,
}

impl Watch {
    /// Looks for texts; what is found is told by process.
    fn start() -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = thread::spawn(move || {
            let (mut found, mut looks) = (vec![], 0);
            while !stopped.load(Ordering::SeqCst) {
                found.extend(look());
                looks += 1;
            }
            (found, looks)
        });
        Self { stop, thread }
    }

    /// Stops, and requires that nothing was found.
    #[track_caller]
    fn finish(self) {
        self.stop.store(true, Ordering::SeqCst);
        let (found, looks) = self.thread.join().unwrap();
        assert!(looks > 10, "only {looks} looks");
        assert_eq!(found, Vec::<String>::new());
    }
}

fn look() -> Vec<String> {
    let own = std::process::id().to_string();
    let mut found = vec![];
    for process in fs::read_dir("/proc").unwrap().flatten() {
        let name = process.file_name().to_string_lossy().into_owned();
        if name == own || !name.bytes().all(|b| b.is_ascii_digit()) {
            continue;
        }
        for what in ["cmdline", "environ"] {
            // A process may be gone by now.
            let bytes = fs::read(process.path().join(what)).unwrap_or_default();
            let text = String::from_utf8_lossy(&bytes).replace('\0', " ");
            // The terminal of the test is sent what the user types.
            let typed = text.starts_with("tmux ") && text.contains("send-keys");
            if !typed && (text.contains(SECRET) || text.contains("$6$rounds")) {
                found.push(format!("{what} of {name}: {text}"));
            }
        }
    }
    found
}

/// Returns the files that changed since `start` and hold a text, with their modes.
fn leaks(start: SystemTime, texts: &[&str], except: &BTreeSet<PathBuf>) -> Vec<String> {
    let mut pending: Vec<PathBuf> = PLACES.iter().map(PathBuf::from).collect();
    let mut found = vec![];
    while let Some(dir) = pending.pop() {
        for entry in fs::read_dir(&dir).into_iter().flatten().flatten() {
            let (path, Ok(meta)) = (entry.path(), entry.metadata()) else { continue };
            if meta.is_dir() {
                // What cargo builds at the same time is not ours.
                let built = ["CACHEDIR.TAG", ".fingerprint", ".git"];
                if !built.iter().any(|name| path.join(name).exists()) {
                    pending.push(path);
                }
            } else if meta.is_file()
                && meta.modified().is_ok_and(|t| t >= start)
                && meta.len() <= LIMIT
                && meta.mode() & 0o777 != 0o600
                && !except.contains(&path)
                && holds(&path, texts)
            {
                found.push(format!("{} ({:o})", path.display(), meta.mode() & 0o777));
            }
        }
    }
    found
}

fn holds(path: &Path, texts: &[&str]) -> bool {
    let bytes = fs::read(path).unwrap_or_default();
    // What is no text becomes other characters, none of those that are looked for.
    let text = String::from_utf8_lossy(&bytes);
    texts.iter().any(|wanted| text.contains(wanted))
}

fn hash_on(disk: &Path) -> String {
    let config = boot_file(disk, "/ignition/config.ign");
    config.split('"').find(|s| s.starts_with("$6$")).unwrap().to_owned()
}

#[test]
fn no_process_and_no_file_shows_the_password_or_its_hash() {
    if !loop_devices("no_process_and_no_file_shows_the_password_or_its_hash") {
        return;
    }
    let bench = Bench::new(32 * MIB);
    let start = clock::now();
    let watch = Watch::start();
    let saved = bench.dir.path().join("saved");
    let save = ["--save-answers", saved.to_str().unwrap()];
    let run = converse(&bench, &["nest", SECRET, SECRET, disk(&bench), "yes"], &save).ok();
    watch.finish();
    let hash = hash_on(&bench.disk);
    assert!(!run.stderr.contains(SECRET) && !run.stderr.contains(&hash), "{}", run.stderr);
    let except = BTreeSet::from([bench.disk.clone()]);
    // The search finds what there is to find: the hash on the disk.
    assert_eq!(leaks(start, &[SECRET, &hash], &BTreeSet::new()).len(), 1);
    assert_eq!(leaks(start, &[SECRET, &hash], &except), Vec::<String>::new());
    assert!(!holds(&saved, &[SECRET, &hash]));
}

#[test]
fn nothing_shows_on_a_terminal_or_stays_of_a_conversation_that_was_left() {
    if !terminals("nothing_shows_on_a_terminal_or_stays_of_a_conversation_that_was_left") {
        return;
    }
    let bench = Bench::new(32 * MIB);
    let start = clock::now();
    let screen = Screen::start(&bench, &["LC_ALL=en_US.UTF-8", "TERM=screen"], &[]);
    let log = bench.dir.path().join("log");
    screen.record(&log);
    let watch = Watch::start();
    screen.answer("User name:", "nest");
    screen.answer("Password (it is not shown):", SECRET);
    screen.answer("The same password again:", SECRET);
    screen.answer("Disk to install to:", disk(&bench));
    screen.asks("back, quit:");
    screen.key("C-c");
    assert_eq!(screen.status(), "130");
    watch.finish();
    assert_eq!(leaks(start, &[SECRET, "$6$rounds"], &BTreeSet::new()), Vec::<String>::new());
    assert!(fs::read_to_string(&log).unwrap().contains("(hidden)"));
    bench.assert_untouched();
}

#[test]
fn answers_from_a_private_file_show_no_more() {
    if !loop_devices("answers_from_a_private_file_show_no_more") {
        return;
    }
    let bench = Bench::new(32 * MIB);
    let text = format!("user: nest\ndisk: {}\npassword: {SECRET}\n", disk(&bench));
    let answers = bench.file("answers", text);
    fs::set_permissions(&answers, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let image = bench.file("image", image());
    let start = clock::now();
    let watch = Watch::start();
    let done = Cmd::new(env!("CARGO_BIN_EXE_installnestos"))
        .args(["--image-file", &image, "--insecure", "--no-reboot", "--answers", &answers])
        .finish()
        .unwrap();
    watch.finish();
    let shown = String::from_utf8(done.stderr).unwrap();
    assert!(done.status.success(), "{shown}");
    let hash = hash_on(&bench.disk);
    assert!(!shown.contains(SECRET) && !shown.contains(&hash), "{shown}");
    let except = BTreeSet::from([bench.disk.clone()]);
    assert_eq!(leaks(start, &[SECRET, &hash], &except), Vec::<String>::new());
}
