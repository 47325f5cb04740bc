//! The state on disk: one JSON file, replaced whole, changed only under a lock, because the service,
//! the health check and the command line are processes of their own.
//!
//! A file that cannot be understood is moved aside with a warning; the digests it denies are kept as
//! far as they can be found in it. It never keeps the service from starting.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use jiff::Timestamp;
use nestos_formats::image_ref::is_digest;
use nestos_host::atomic;
use serde::{Deserialize, Serialize};
use tracing::warn;

use super::state::{Denied, DenyReason, State};

/// Version of the format. A file of another version gives its denied digests only.
const VERSION: u32 = 1;

/// The state of a machine, in a directory.
#[derive(Debug)]
pub struct StateFile {
    path: PathBuf,
    lock: File,
}

#[derive(Serialize)]
struct Written<'a> {
    version: u32,
    #[serde(flatten)]
    state: &'a State,
}

#[derive(Deserialize)]
struct Read {
    version: u32,
    #[serde(flatten)]
    state: State,
}

impl StateFile {
    /// Opens the state in `dir`, which is made when it is missing.
    pub fn open(dir: &Path) -> Result<Self> {
        let path = dir.join("state.lock");
        fs::create_dir_all(dir).with_context(|| format!("cannot create {}", dir.display()))?;
        let lock = File::options().create(true).truncate(false).write(true).open(&path);
        let lock = lock.with_context(|| format!("cannot open {}", path.display()))?;
        Ok(Self { path: dir.join("state.json"), lock })
    }

    /// Returns the state as it is now.
    pub fn read(&self) -> Result<State> {
        self.locked(|| self.load())
    }

    /// Changes the state; when this returns, the change is on the disk. Other processes wait.
    pub fn update<T>(&self, change: impl FnOnce(&mut State) -> T) -> Result<T> {
        self.locked(|| {
            let mut state = self.load()?;
            let before = state.clone();
            let value = change(&mut state);
            if state != before {
                self.save(&state)?;
            }
            Ok(value)
        })
    }

    /// Returns the state of a directory that perhaps nobody may write: for showing it.
    pub fn peek(dir: &Path) -> Result<State> {
        let path = dir.join("state.json");
        match fs::read(&path) {
            Ok(bytes) => Ok(understood(&bytes).unwrap_or_else(|_reason| salvaged(&bytes))),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(State::default()),
            Err(e) => Err(e).with_context(|| format!("cannot read {}", path.display())),
        }
    }

    fn locked<T>(&self, work: impl FnOnce() -> Result<T>) -> Result<T> {
        self.lock.lock().with_context(|| format!("cannot lock {}", self.path.display()))?;
        let value = work();
        self.lock.unlock().with_context(|| format!("cannot unlock {}", self.path.display()))?;
        value
    }

    fn load(&self) -> Result<State> {
        let bytes = match fs::read(&self.path) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(State::default()),
            Err(e) => {
                return Err(e).with_context(|| format!("cannot read {}", self.path.display()));
            }
        };
        match understood(&bytes) {
            Ok(state) => Ok(state),
            Err(reason) => {
                let state = salvaged(&bytes);
                let aside = self.path.with_extension("json.unreadable");
                warn!(
                    file = %self.path.display(), moved_to = %aside.display(), reason,
                    denied = state.denied.len(), "state cannot be read: beginning a new one"
                );
                // The copy comes first: at no moment are the denied digests in no file.
                atomic::write(&aside, &bytes, 0o644)?;
                self.save(&state)?;
                Ok(state)
            }
        }
    }

    fn save(&self, state: &State) -> Result<()> {
        let mut text = serde_json::to_vec_pretty(&Written { version: VERSION, state })
            .context("cannot print the state")?;
        text.push(b'\n');
        atomic::write(&self.path, &text, 0o644)
    }
}

fn understood(bytes: &[u8]) -> Result<State, String> {
    let read: Read = serde_json::from_slice(bytes).map_err(|e| e.to_string())?;
    match read.version {
        VERSION => Ok(read.state),
        other => Err(format!("its version is {other}, not {VERSION}")),
    }
}

/// Returns a state with the denied digests that can be found in `bytes`: by the structure if there
/// is one, else by what looks like a digest between the keys "denied" and "phase".
fn salvaged(bytes: &[u8]) -> State {
    let mut state = State::default();
    if let Ok(value) = serde_json::from_slice::<serde_json::Value>(bytes) {
        let list = value.get("denied").and_then(|v| v.as_array()).cloned().unwrap_or_default();
        state.denied = list.into_iter().filter_map(denied).collect();
        return state;
    }
    let text = String::from_utf8_lossy(bytes);
    let from = text.find("\"denied\"").map_or("", |at| &text[at..]);
    let part = from.split("\"phase\"").next().unwrap_or_default();
    for digest in part.split('"').filter(|word| is_digest(word)) {
        state.deny(digest, DenyReason::Unreadable, Timestamp::UNIX_EPOCH);
    }
    state
}

fn denied(value: serde_json::Value) -> Option<Denied> {
    let digest = value.get("digest")?.as_str()?.to_owned();
    let rest = Denied { digest, reason: DenyReason::Unreadable, at: Timestamp::UNIX_EPOCH };
    Some(serde_json::from_value(value).unwrap_or(rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::daemon::state::{Phase, Trial};

    fn digest(c: char) -> String {
        format!("sha256:{}", c.to_string().repeat(64))
    }

    fn written(dir: &Path) -> String {
        fs::read_to_string(dir.join("state.json")).unwrap()
    }

    #[test]
    fn a_change_is_on_disk_and_nothing_is_written_without_one() {
        let dir = tempfile::tempdir().unwrap();
        let file = StateFile::open(dir.path()).unwrap();
        assert_eq!(file.read().unwrap(), State::default());
        file.update(|_| ()).unwrap();
        assert!(!dir.path().join("state.json").exists());
        let since = Timestamp::from_second(1_800_000_000).unwrap();
        file.update(|s| {
            s.deny(&digest('a'), DenyReason::HealthCheck("x.sh: exit 1".to_owned()), since);
            s.phase = Phase::Rebooting { digest: digest('b'), since };
        })
        .unwrap();
        let again = StateFile::open(dir.path()).unwrap().read().unwrap();
        assert!(again.denies(&digest('a')) && !again.denies(&digest('b')));
        assert_eq!(again.phase, Phase::Rebooting { digest: digest('b'), since });
        assert_eq!(StateFile::peek(dir.path()).unwrap(), again);
    }

    #[test]
    fn the_format_stays_as_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let at = Timestamp::from_second(1_800_000_000).unwrap();
        let file = StateFile::open(dir.path()).unwrap();
        file.update(|s| {
            s.deny(&digest('a'), DenyReason::BootFailed, at);
            s.trial = Some(Trial { checksum: "c".into(), digest: None, previous: None, since: at });
        })
        .unwrap();
        let text = written(dir.path());
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["version"], 1);
        assert_eq!(value["denied"][0]["reason"]["kind"], "boot-failed");
        assert_eq!(value["denied"][0]["at"], "2027-01-15T08:00:00Z");
        assert_eq!(value["phase"]["name"], "steady");
        assert_eq!(value["trial"]["since"], "2027-01-15T08:00:00Z");
    }

    #[test]
    fn what_a_damaged_file_denies_stays_denied() {
        let hex = "a".repeat(64);
        let entry = format!("{{\"digest\": \"sha256:{hex}\", \"reason\"");
        for damaged in [
            format!("{{\"version\": 7, \"denied\": [{entry}: \"new\"}}], \"phase\": {{}}}}"),
            format!("{{\"version\": 1, \"denied\": [{entry}: 5}}, 8], \"phase\": []}}"),
            format!("{{\"version\": 1, \"denied\": [{entry}: {{"),
        ] {
            let dir = tempfile::tempdir().unwrap();
            fs::write(dir.path().join("state.json"), &damaged).unwrap();
            let state = StateFile::open(dir.path()).unwrap().read().unwrap();
            assert!(state.denies(&digest('a')), "{damaged}");
            let aside = fs::read_to_string(dir.path().join("state.json.unreadable")).unwrap();
            assert_eq!(aside, damaged);
            assert!(written(dir.path()).contains("unreadable"));
        }
    }

    #[test]
    fn rubbish_begins_a_new_state() {
        for rubbish in ["", "\0\0\0", "[]", "{\"denied\": 3}"] {
            let dir = tempfile::tempdir().unwrap();
            fs::write(dir.path().join("state.json"), rubbish).unwrap();
            let file = StateFile::open(dir.path()).unwrap();
            assert_eq!(file.read().unwrap(), State::default(), "{rubbish:?}");
        }
    }

    #[test]
    fn two_processes_do_not_lose_each_others_changes() {
        let dir = tempfile::tempdir().unwrap();
        let add = |name: char| {
            let file = StateFile::open(dir.path()).unwrap();
            for n in 0..20 {
                let one = format!("{name}{n}");
                file.update(|s| s.failed_units.insert(one)).unwrap();
            }
        };
        std::thread::scope(|s| {
            s.spawn(|| add('a'));
            s.spawn(|| add('b'));
        });
        assert_eq!(StateFile::peek(dir.path()).unwrap().failed_units.len(), 40);
    }
}
