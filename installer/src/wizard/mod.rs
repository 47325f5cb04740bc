//! `installnestos`: user, password, disk, go; and more for those who ask for it. A conversation on
//! a terminal, lines from a pipe in the order user, password, password again, disk, confirmation,
//! or a file of answers. See docs/installnestos.md.
//!
//! The config it makes never leaves memory except into the disk: no file, argument, environment
//! variable or message holds the password or its hash.

mod answers;
mod ask;
mod butane;
pub mod cli;
mod console;
mod disk;
mod hostname;
mod lang;
mod layout;
mod net;
mod plan;
mod reboot;
mod review;
mod ssh;
mod taken;
mod tty;
mod update;
mod user;
mod zone;

use std::env;
use std::path::Path;

use anyhow::{Context, Result, anyhow};
use nestos_formats::disk_layout::Arch;
use nestos_host::disk_use::Sources;
use nestos_host::term::WithHint;
use nestos_host::{disks, interrupt, secrecy, term};

use crate::boot::{self, BootEdits};
use crate::config::{CheckedConfig, ConfigSource, Loading};
use crate::install;
use crate::request::{Handling, ImageChoice, InstallRequest, Output, Proof};
use crate::selector::DeviceSpec;

use ask::Asker;
use cli::WizardArgs;
use lang::{Choice, Lang, Setting, say, told};
use plan::{Draft, Plan};
use review::Decision;
use taken::Taken;
use user::UserName;

/// What became of the conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The system is installed, or would be.
    Installed,
    /// The user said no; nothing was touched.
    Declined,
}

/// Holds the conversation and installs.
pub fn run(args: WizardArgs) -> Result<Outcome> {
    // A dump of this program would hold the password.
    secrecy::no_core_dumps()?;
    let choice = args.lang.map_or_else(from_environment, Choice::Settled);
    let lang = match choice {
        Choice::Settled(lang) => lang,
        Choice::Ask => Lang::En,
    };
    lang.speak();
    interrupt::watch(|| {
        tty::restore();
        term::status("");
        term::status(say!(
            Lang::spoken(),
            "Interrupted. The disk was not touched.",
            "已中断。磁盘未被改动。"
        ));
    })?;
    let mut asker = Asker::new(lang)?;
    let request = prepare(&args, choice, &mut asker).with_context(|| {
        say!(Lang::spoken(), "cannot install; no disk was touched", "无法安装;磁盘未被改动")
    })?;
    let lang = asker.lang();
    let Some(request) = request else {
        asker.note(say!(lang, "Nothing was changed.", "未做任何更改。"));
        return Ok(Outcome::Declined);
    };
    if args.dry_run {
        explained(install::check(request), lang)?;
        return Ok(Outcome::Installed);
    }
    let report = explained(install::run(request), lang)?;
    if args.no_reboot {
        asker.note(say!(
            lang,
            "NestOS is installed. Reboot to start it.",
            "NestOS 安装完成。请重启进入系统。"
        ));
        return Ok(Outcome::Installed);
    }
    asker.note(say!(lang, "NestOS is installed.", "NestOS 安装完成。"));
    // Who is not there to answer is not there to press a key either.
    let watching = args.answers.is_none() && asker.is_person();
    reboot::reboot(watching.then_some(&asker), report.disk())?;
    Ok(Outcome::Installed)
}

/// Says in Chinese what became of the disk before an error tells the rest in English.
fn explained<T>(done: Result<T>, lang: Lang) -> Result<T> {
    if let (Err(e), Lang::Zh) = (&done, lang)
        && let Some(state) = state_in_chinese(&format!("{e:#}"))
    {
        term::status(state);
    }
    done
}

fn state_in_chinese(error: &str) -> Option<&'static str> {
    let states = [
        ("was not touched", "安装失败:磁盘未被改动。详细信息如下(英文):"),
        ("was left unbootable", "安装失败:磁盘已无法启动。详细信息如下(英文):"),
        ("in an unknown state", "安装失败:磁盘状态未知,请勿从该磁盘启动。详细信息如下(英文):"),
    ];
    states.iter().find(|(text, _)| error.contains(text)).map(|(_, state)| *state)
}

fn from_environment() -> Choice {
    let terminal = env::var("TERM").ok();
    let locale = lang::locale();
    let setting =
        Setting { locale: locale.as_deref(), terminal: terminal.as_deref(), utf8: tty::is_utf8() };
    setting.choose()
}

/// Finds out everything; `None` if the user does not want to install.
fn prepare(args: &WizardArgs, choice: Choice, asker: &mut Asker) -> Result<Option<InstallRequest>> {
    // What would fail at the end is found out before the first question.
    boot::check_editable().hint("start it with: sudo installnestos")?;
    let image = ImageChoice::given_or_live(args.image_file.clone(), args.image_url.clone())?;
    let proof = Proof {
        digest: args.image_digest,
        unsigned: args.insecure.into(),
        keyring: args.keyring.clone(),
    };
    let architecture = Arch::of_this_program();
    install::check_image(&image, architecture, &proof)?;

    if let Some(path) = &args.save_answers {
        answers::check_writable(path)?;
    }
    let plan = match &args.answers {
        Some(path) => Some(replay(path, asker)?),
        None => converse(choice, asker)?,
    };
    let Some(plan) = plan else { return Ok(None) };
    if let Some(path) = &args.save_answers {
        answers::save(path, &plan)?;
        let path = path.display();
        asker.note(say!(
            asker.lang(),
            "The answers are in {}, without the password.",
            "回答已保存到 {},不含密码。",
            path
        ));
    }
    let retries = args.fetch_retries;
    let config = ConfigSource::Text(butane::ignition(&plan)?);
    let config = CheckedConfig::load(&config, Loading { retries, hash: None })?;
    let append = plan.extras.kargs.iter().cloned().collect();
    let consoles = console::of_conversation(asker);
    let boot = BootEdits { config: Some(config), consoles, append, ..BootEdits::default() };
    Ok(Some(InstallRequest {
        device: DeviceSpec::Path(plan.target.path),
        image,
        proof,
        architecture,
        boot,
        retries,
        handling: Handling::default(),
        output: Output::default(),
    }))
}

/// Takes all answers from a file.
fn replay(path: &Path, asker: &Asker) -> Result<Plan> {
    let lang = asker.lang();
    let answers = answers::read(path, lang)?;
    let target = disk::choose(&answers.disk, &disks::all(&Sources::system()), lang)
        .map_err(|told| anyhow!(told.say(lang)))
        .with_context(|| format!("cannot use the answers in {}", path.display()))?;
    let plan = answers.plan(target);
    review::show(asker, &plan);
    Ok(plan)
}

/// The questions of the fast path, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    User,
    Password,
    Disk,
    Review,
}

/// Asks until everything is known; `None` if the user does not want to install.
fn converse(choice: Choice, asker: &mut Asker) -> Result<Option<Plan>> {
    if choice == Choice::Ask && asker.is_person() {
        ask_language(asker)?;
    }
    let lang = asker.lang();
    asker.note(say!(
        lang,
        "NestOS will be installed on this machine. Ctrl-C leaves at any time.",
        "即将在本机安装 NestOS。按 Ctrl-C 可随时退出。"
    ));
    if asker.is_person() {
        asker.note(say!(
            lang,
            "A < goes back to the question before.",
            "输入 < 可返回上一个问题。"
        ));
    }
    let mut draft = Draft::default();
    let mut step = Step::User;
    loop {
        step = match step {
            Step::User => ask_user(asker, &mut draft)?,
            Step::Password => ask_password(asker, &mut draft)?,
            Step::Disk => ask_disk(asker, &mut draft)?,
            Step::Review => {
                let plan = draft.plan().context("an answer is missing")?;
                match review::ask(asker, &plan)? {
                    Decision::Install => return Ok(Some(plan)),
                    Decision::Quit => return Ok(None),
                    Decision::Back => Step::Disk,
                    Decision::More => {
                        draft.extras.ask(asker)?;
                        Step::Review
                    }
                }
            }
        };
    }
}

/// Asks for the language, in both.
fn ask_language(asker: &mut Asker) -> Result<()> {
    let question = "Language / 语言: 1 English, 2 中文";
    let answer =
        asker.line(question, Some("1"), |answer| match answer.to_lowercase().as_str() {
            "1" | "en" | "english" => Ok(Lang::En),
            "2" | "zh" | "中文" => Ok(Lang::Zh),
            _ => Err(told!("type 1 or 2 / 请输入 1 或 2", "请输入 1 或 2")),
        })?;
    asker.speak(answer.unwrap_or(Lang::En));
    Ok(())
}

fn ask_user(asker: &mut Asker, draft: &mut Draft) -> Result<Step> {
    let question = say!(asker.lang(), "User name", "用户名");
    let known = draft.user.as_ref().map(|user| user.as_str().to_owned());
    let taken = Taken::here();
    let check = |answer: &str| UserName::new(answer, &taken);
    Ok(match asker.line(&question, known.as_deref(), check)? {
        Some(user) => {
            draft.user = Some(user);
            Step::Password
        }
        // There is no question before.
        None => Step::User,
    })
}

fn ask_password(asker: &mut Asker, draft: &mut Draft) -> Result<Step> {
    let user = draft.user.as_ref().context("the user is missing")?;
    Ok(match user::ask_password(asker, user, draft.password.as_ref())? {
        Some(password) => {
            draft.password = Some(password);
            Step::Disk
        }
        None => Step::User,
    })
}

fn ask_disk(asker: &mut Asker, draft: &mut Draft) -> Result<Step> {
    let disks = disks::all(&Sources::system());
    Ok(match disk::ask(asker, &disks, draft.target.as_ref())? {
        Some(target) => {
            draft.target = Some(target);
            Step::Review
        }
        None => Step::Password,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chinese_says_what_became_of_the_disk_whatever_failed() {
        let device: DeviceSpec = "/dev/sda".parse().unwrap();
        let state = |text: &str| state_in_chinese(text).unwrap_or("?").to_owned();
        assert!(state(&crate::request::untouched(&device)).contains("磁盘未被改动"));
        assert!(state("x; the disk was left unbootable: y").contains("磁盘已无法启动"));
        assert_eq!(state("cannot reboot"), "?");
    }
}
