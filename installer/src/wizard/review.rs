//! The last look before the disk is touched.

use anyhow::Result;
use nestos_host::term;

use super::ask::Asker;
use super::butane::{self, Secrets};
use super::disk::Target;
use super::lang::{Lang, say, told};
use super::layout::{COLUMNS, fit, pad, wrap};
use super::plan::Plan;

/// Columns of the names in the summary.
const NAMES: usize = 17;

/// What the user wants to do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Decision {
    Install,
    More,
    Back,
    Quit,
}

/// Shows what will be done and asks whether it shall be.
pub(super) fn ask(asker: &mut Asker, plan: &Plan) -> Result<Decision> {
    let lang = asker.lang();
    show(asker, plan);
    // From a pipe anything but a clear yes is no: the next line answers another question.
    let person = asker.is_person();
    let strict = plan.target.content.is_some() && person;
    let question = say!(
        lang,
        "Type yes to install, or more, back, quit",
        "输入 yes 开始安装,或 more(更多) back(返回) quit(退出)"
    );
    let decision = asker.line(&question, None, |answer| match answer.to_lowercase().as_str() {
        "yes" | "go" | "install" | "是" => Ok(Decision::Install),
        "y" if !strict => Ok(Decision::Install),
        "y" => Err(told!(
            "the disk is not empty: type the whole word yes",
            "磁盘不是空的:请输入完整的 yes"
        )),
        "more" | "m" => Ok(Decision::More),
        "back" | "b" if person => Ok(Decision::Back),
        "quit" | "q" | "no" | "n" => Ok(Decision::Quit),
        _ if !person => Ok(Decision::Quit),
        _ => Err(told!("type yes, more, back or quit", "请输入 yes、more、back 或 quit")),
    })?;
    Ok(decision.unwrap_or(Decision::Back))
}

/// Shows the config of the first boot, what was answered, and what will be lost.
pub(super) fn show(asker: &Asker, plan: &Plan) {
    let lang = asker.lang();
    asker.title(say!(lang, "Configuration of the first boot (Butane):", "首次启动配置(Butane):"));
    for line in butane::config(plan, Secrets::Hidden).lines() {
        asker.note(fit(&format!("  {line}"), COLUMNS));
    }
    let mut rows = vec![(say!(lang, "User", "用户"), plan.user.as_str().to_owned())];
    rows.extend(plan.extras.summary(lang));
    let target = &plan.target;
    let about = if target.about.is_empty() { String::new() } else { format!(", {}", target.about) };
    rows.push((say!(lang, "Disk", "磁盘"), format!("{}{about}", target.path.display())));
    term::status("");
    for (name, value) in rows {
        for (i, line) in wrap(&value, COLUMNS - NAMES - 1).into_iter().enumerate() {
            asker.note(format!("{} {line}", pad(if i == 0 { &name } else { "" }, NAMES)));
        }
    }
    asker.note(loss(target, lang));
}

/// Says what will be lost.
fn loss(target: &Target, lang: Lang) -> String {
    let disk = target.path.display();
    match &target.content {
        Some(content) => say!(
            lang,
            "Everything on {} will be lost: {}",
            "{} 上的所有数据都将丢失: {}",
            disk,
            content
        ),
        None => {
            say!(lang, "Everything on {} will be lost.", "{} 上的所有数据都将丢失。", disk)
        }
    }
}
