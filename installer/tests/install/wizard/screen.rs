//! `installnestos` on a terminal of 80 columns and 24 lines, which tmux(1) keeps and shows.

use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use nestos_host::clock;
use nestos_host::cmd::Cmd;

use crate::support::{Bench, MIB, boot_file, image, loop_devices, program};

/// How long a screen may take to show something.
const PATIENCE: Duration = Duration::from_secs(30);

/// A public key with what `ssh-keygen -l` says of it.
pub(super) const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJbDlXrtvPZ2ZWZeQXoz5VaFhi2rZ/JHzn5pOc1wMTXi me@example.com";

/// A terminal of its own, with a server of its own.
pub(super) struct Screen {
    socket: PathBuf,
}

impl Screen {
    /// Starts the wizard; `env` are assignments as for env(1).
    pub(super) fn start(bench: &Bench, env: &[&str], args: &[&str]) -> Self {
        let image = bench.file("image", image());
        Self::with_image(bench, env, &[&["--no-reboot", "--image-file", &image], args].concat())
    }

    /// Starts the wizard with an image from somewhere else.
    pub(super) fn with_image(bench: &Bench, env: &[&str], args: &[&str]) -> Self {
        let binary = env!("CARGO_BIN_EXE_installnestos");
        let path = std::env::var("PATH").unwrap();
        let line = format!(
            "trap : INT; env -i PATH={path} {} {binary} --insecure {}; \
             echo status=$?; stty -a | grep -o -e '-*\\becho\\b'; exec sleep 1000",
            env.join(" "),
            args.join(" ")
        );
        let screen = Self { socket: bench.dir.path().join("tmux") };
        let size = ["-x", "80", "-y", "24"];
        screen.tmux(
            ["-u", "-f", "/dev/null", "new-session", "-d"]
                .iter()
                .chain(&size)
                .chain(&[line.as_str()]),
        );
        screen
    }

    fn tmux<'a>(&self, args: impl IntoIterator<Item = &'a &'a str>) -> String {
        let cmd = Cmd::new("tmux").arg("-S").arg(&self.socket).env("LC_ALL", "C.UTF-8");
        cmd.args(args.into_iter().copied()).output().unwrap()
    }

    /// Returns what is on the screen, the lines that it broke put together again.
    pub(super) fn text(&self) -> String {
        self.tmux(&["capture-pane", "-p", "-J"])
    }

    /// Waits until the screen satisfies a condition, and returns what it shows then.
    fn wait(&self, wanted: &str, done: impl Fn(&str) -> bool) -> String {
        let start = clock::instant();
        loop {
            let text = self.text();
            if done(&text) {
                assert_fits(&text);
                return text;
            }
            assert!(start.elapsed() < PATIENCE, "no {wanted:?} on the screen:\n{text}");
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits for a text.
    #[track_caller]
    pub(super) fn shows(&self, wanted: &str) -> String {
        self.wait(wanted, |text| text.contains(wanted))
    }

    /// Waits until the cursor stands behind a question.
    #[track_caller]
    pub(super) fn asks(&self, question: &str) -> String {
        self.wait(question, |text| text.trim_end().ends_with(question))
    }

    /// Waits for a question and answers it.
    #[track_caller]
    pub(super) fn answer(&self, question: &str, answer: &str) {
        self.asks(question);
        self.tmux(&["send-keys", "-l", "--", answer]);
        self.key("Enter");
    }

    pub(super) fn key(&self, key: &str) {
        self.tmux(&["send-keys", key]);
    }

    /// Waits for something that is not on the screen.
    pub(super) fn until(&self, wanted: &str, done: impl Fn() -> bool) {
        self.wait(wanted, |_| done());
    }

    /// Returns 1 if the cursor is visible, 0 if not.
    pub(super) fn cursor(&self) -> String {
        self.tmux(&["display-message", "-p", "#{cursor_flag}"]).trim().to_owned()
    }

    /// Writes everything that the terminal is sent to a file from now on.
    pub(super) fn record(&self, log: &std::path::Path) {
        self.tmux(&["pipe-pane", "-o", &format!("cat > {}", log.display())]);
    }

    /// Moves to an item of an open menu and takes it.
    #[track_caller]
    pub(super) fn pick(&self, item: &str) {
        let wanted = format!("> {item}");
        self.wait(item, |text| text.contains(&format!("  {item}")) || text.contains(&wanted));
        for _ in 0..20 {
            let text = self.text();
            let before = last_line(&text, "> ");
            if before.is_some() && before == last_line(&text, &wanted) {
                return self.key("Enter");
            }
            self.key("Down");
            self.wait("another item", |text| {
                let now = last_line(text, "> ");
                now.is_some() && now != before
            });
        }
        panic!("no item {item:?}:\n{}", self.text());
    }

    /// Waits for the end and returns the exit status.
    pub(super) fn status(&self) -> String {
        let text = self.shows("status=");
        let status = text.lines().find_map(|line| line.strip_prefix("status=")).unwrap();
        status.to_owned()
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        let ended = Cmd::new("tmux").arg("-S").arg(&self.socket).arg("kill-server").run();
        assert!(thread::panicking() || ended.is_ok(), "{ended:?}");
    }
}

/// Returns the number of the last line that starts with a mark.
fn last_line(text: &str, mark: &str) -> Option<usize> {
    text.lines().enumerate().filter(|(_, line)| line.starts_with(mark)).map(|(i, _)| i).last()
}

/// Requires that no line was longer than the screen, a Chinese character taking two columns.
#[track_caller]
fn assert_fits(text: &str) {
    // What was typed may be longer, and nobody breaks a digest.
    let whole = ["/tmp", "ssh-ed25519 AAAA", "sha256:"];
    for line in text.lines().filter(|line| !whole.iter().any(|w| line.contains(w))) {
        let wide = line.chars().filter(|c| *c >= '\u{2e80}').count();
        assert!(line.chars().count() + wide <= 80, "too long: {line}");
    }
}

/// Returns whether the terminals of these tests can be had; says so when they cannot.
pub(super) fn terminals(test: &str) -> bool {
    let found = Cmd::new("tmux").arg("-V").finish().is_ok();
    if !found {
        program("tmux", test);
    }
    found && loop_devices(test)
}

pub(super) fn disk(bench: &Bench) -> &str {
    bench.disk.to_str().unwrap()
}

#[test]
fn four_answers_and_a_yes_in_english() {
    if !terminals("four_answers_and_a_yes_in_english") {
        return;
    }
    let bench = Bench::new(32 * MIB);
    let screen = Screen::start(&bench, &["LC_ALL=C.UTF-8", "TERM=screen"], &[]);
    screen.answer("Language / 语言: 1 English, 2 中文 [1]:", "");
    screen.answer("User name:", "nest");
    screen.answer("Password (it is not shown):", "correct horse");
    screen.answer("The same password again:", "correct horse");
    screen.answer("Disk to install to:", disk(&bench));
    let seen = screen.asks("Type yes to install, or more, back, quit:");
    let tail: Vec<&str> = seen.lines().skip_while(|l| !l.starts_with("Configuration")).collect();
    let wanted = format!(
        "Configuration of the first boot (Butane):\n  variant: nestos\n  version: 1.0.0\n  \
         passwd:\n    users:\n      - name: nest\n        groups: [adm, sudo, systemd-journal, \
         wheel]\n        password_hash: (hidden)\n\nUser              nest\n\
         Disk              {0}, 32 MiB\nEverything on {0} will be lost.\n\
         Type yes to install, or more, back, quit:",
        disk(&bench)
    );
    assert_eq!(tail.join("\n").trim_end(), wanted);
    screen.answer("back, quit:", "yes");
    screen.shows("NestOS is installed. Reboot to start it.");
    assert_eq!(screen.status(), "0");
    assert!(boot_file(&bench.disk, "/ignition/config.ign").contains(r#""name":"nest""#));
}

#[test]
fn four_answers_and_a_yes_in_chinese() {
    if !terminals("four_answers_and_a_yes_in_chinese") {
        return;
    }
    let bench = Bench::new(32 * MIB);
    let screen = Screen::start(&bench, &["LC_ALL=C.UTF-8", "TERM=xterm-256color"], &[]);
    screen.answer("Language / 语言: 1 English, 2 中文 [1]:", "2");
    screen.answer("用户名:", "nest");
    screen.answer("密码(不显示):", "correct horse");
    screen.answer("再次输入相同的密码:", "another horse");
    screen.shows("两次输入的密码不一致");
    screen.answer("密码(不显示):", "correct horse");
    screen.answer("再次输入相同的密码:", "correct horse");
    screen.answer("安装到哪块磁盘:", disk(&bench));
    let seen = screen.asks("输入 yes 开始安装,或 more(更多) back(返回) quit(退出):");
    for text in ["首次启动配置(Butane):", "password_hash: (hidden)", "用户              nest"]
    {
        assert!(seen.contains(text), "no {text:?} in:\n{seen}");
    }
    assert!(seen.contains(&format!("{} 上的所有数据都将丢失。", disk(&bench))), "{seen}");
    screen.answer("quit(退出):", "yes");
    screen.shows("NestOS 安装完成。请重启进入系统。");
    assert_eq!(screen.status(), "0");
}

#[test]
fn going_back_loses_nothing() {
    if !terminals("going_back_loses_nothing") {
        return;
    }
    let bench = Bench::new(32 * MIB);
    let screen = Screen::start(&bench, &["LC_ALL=en_US.UTF-8", "TERM=vt220"], &[]);
    screen.answer("User name:", "<");
    screen.answer("User name:", "Wrong Name");
    screen.shows("\"Wrong Name\" cannot be a user name");
    screen.answer("User name:", "nest");
    screen.answer("Password (it is not shown):", "<");
    screen.answer("User name [nest]:", "other");
    screen.answer("Password (it is not shown):", "short");
    screen.answer("The same password again:", "short");
    screen.shows("Note: the password is short");
    screen.answer("Disk to install to:", "nosuchdisk");
    screen.shows("there is no disk /dev/nosuchdisk");
    screen.answer("Disk to install to:", disk(&bench));
    screen.answer("back, quit:", "back");
    screen.answer(&format!("Disk to install to [{}]:", disk(&bench)), "<");
    screen.answer("Password (Enter keeps it):", "<");
    screen.answer("User name [other]:", "");
    screen.answer("Password (Enter keeps it):", "");
    screen.answer(&format!("Disk to install to [{}]:", disk(&bench)), "");
    let seen = screen.asks("back, quit:");
    assert!(seen.contains("User              other"), "{seen}");
    screen.answer("back, quit:", "maybe");
    screen.shows("type yes, more, back or quit");
    screen.answer("back, quit:", "quit");
    screen.shows("Nothing was changed.");
    assert_eq!(screen.status(), "1");
    bench.assert_untouched();
}

#[test]
fn a_disk_with_partitions_wants_the_whole_word() {
    if !terminals("a_disk_with_partitions_wants_the_whole_word") {
        return;
    }
    let bench = Bench::new(32 * MIB);
    let mut bytes = image().to_vec();
    bytes.resize(bench.disk_bytes().len(), 0);
    std::fs::write(&bench.disk, bytes).unwrap();
    let env = ["LC_ALL=en_US.UTF-8", "TERM=vt100"];
    let screen = Screen::start(&bench, &env, &["--dry-run"]);
    screen.answer("User name:", "nest");
    screen.answer("Password (it is not shown):", "correct horse");
    screen.answer("The same password again:", "correct horse");
    screen.answer("Disk to install to:", disk(&bench));
    let lost =
        format!("Everything on {} will be lost: BIOS-BOOT, EFI-SYSTEM, boot, root", disk(&bench));
    let seen = screen.asks("back, quit:");
    assert!(seen.replace('\n', " ").contains(&lost), "{seen}");
    screen.answer("back, quit:", "y");
    screen.shows("the disk is not empty: type the whole word yes");
    let before = bench.disk_bytes();
    screen.answer("back, quit:", "yes");
    screen.shows("dry run: ");
    assert_eq!(screen.status(), "0");
    assert!(bench.disk_bytes() == before, "a dry run touched the disk");
}

#[test]
fn a_terminal_without_a_cursor_gets_numbers_and_no_escape_sequence() {
    let test = "a_terminal_without_a_cursor_gets_numbers_and_no_escape_sequence";
    if !terminals(test) {
        return;
    }
    let bench = Bench::new(32 * MIB);
    let env = ["LC_ALL=zh_CN.UTF-8", "TERM=dumb", "NO_COLOR=1"];
    let screen = Screen::start(&bench, &env, &[]);
    let log = bench.dir.path().join("log");
    screen.record(&log);
    screen.answer("User name:", "nest");
    screen.answer("Password (it is not shown):", "correct horse");
    screen.answer("The same password again:", "correct horse");
    screen.answer("Disk to install to:", disk(&bench));
    screen.answer("back, quit:", "more");
    let seen = screen.asks("Number [1]:");
    assert!(seen.contains("  1) SSH keys: not set\n  2) Host name: not set\n"), "{seen}");
    screen.answer("Number [1]:", "9");
    screen.shows("type a number from 1 to 7");
    screen.answer("Number [1]:", "2");
    screen.answer("Host name [-]:", "node1");
    screen.shows("2) Host name: node1");
    screen.answer("Number [2]:", "<");
    screen.answer("back, quit:", "quit");
    assert_eq!(screen.status(), "1");
    let log = std::fs::read(log).unwrap();
    assert!(!log.contains(&0x1b), "{}", String::from_utf8_lossy(&log));
    assert!(String::from_utf8(log).unwrap().is_ascii());
}
