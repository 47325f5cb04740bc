//! Typing on the machine's own keyboard, for consoles that are on the screen only.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nestos_host::clock;
use nestos_vm::Vm;
use serde_json::{Value, json};

/// Between two keys; an emulated keyboard holds only a few.
const KEY_PAUSE: Duration = Duration::from_millis(60);
/// What a login program needs to change from name to password; each try gives it more.
const PROMPT_PAUSE: Duration = Duration::from_secs(4);
/// How long the answer on the serial line may take.
const ANSWER_TIME: Duration = Duration::from_secs(8);

/// Logs in on the screen, again and again until it works, and lets the shell say `word` on the
/// serial line: the screen itself cannot be read.
pub fn log_in_on_screen(
    vm: &Vm,
    (user, password): (&str, &str),
    word: &str,
    timeout: Duration,
) -> Result<()> {
    let deadline: Instant = clock::instant() + timeout;
    let mut pause = PROMPT_PAUSE;
    while clock::instant() < deadline {
        type_text(vm, &format!("{user}\n"))?;
        std::thread::sleep(pause);
        type_text(vm, &format!("{password}\n"))?;
        std::thread::sleep(pause);
        pause += PROMPT_PAUSE / 4;
        type_text(vm, &format!("echo {word} of $USER >/dev/ttyS0\n"))?;
        if vm.serial().expect(&format!("{word} of {user}"), ANSWER_TIME).is_ok() {
            return Ok(());
        }
    }
    bail!("{user} could not log in on the screen in {} s", timeout.as_secs())
}

/// Types a text on a keyboard of the US layout.
pub fn type_text(vm: &Vm, text: &str) -> Result<()> {
    for c in text.chars() {
        let keys = keys(c).with_context(|| format!("no key for {c:?}"))?;
        vm.qmp().execute("send-key", json!({ "keys": keys, "hold-time": 20 }))?;
        std::thread::sleep(KEY_PAUSE);
    }
    Ok(())
}

/// Returns the keys that are pressed together for a character.
fn keys(c: char) -> Option<Vec<Value>> {
    let shifted = |key: &str| (true, key.to_owned());
    let plain = |key: &str| (false, key.to_owned());
    let (shift, key) = match c {
        'a'..='z' | '0'..='9' => plain(&c.to_string()),
        'A'..='Z' => shifted(&c.to_ascii_lowercase().to_string()),
        '\n' => plain("ret"),
        ' ' => plain("spc"),
        '-' => plain("minus"),
        '/' => plain("slash"),
        '.' => plain("dot"),
        '=' => plain("equal"),
        '>' => shifted("dot"),
        '$' => shifted("4"),
        _ => return None,
    };
    let code = |name: &str| json!({ "type": "qcode", "data": name });
    Some(shift.then(|| code("shift")).into_iter().chain([code(&key)]).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capitals_and_signs_need_shift() {
        let codes = |c| -> Vec<String> {
            let keys = keys(c).unwrap();
            keys.iter().map(|key| key["data"].as_str().unwrap().to_owned()).collect()
        };
        assert_eq!(codes('a'), ["a"]);
        assert_eq!(codes('A'), ["shift", "a"]);
        assert_eq!(codes('$'), ["shift", "4"]);
        assert_eq!(codes('\n'), ["ret"]);
        assert!(keys('ä').is_none());
    }
}
