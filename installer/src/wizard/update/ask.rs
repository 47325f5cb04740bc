//! The questions about updates.

use anyhow::Result;

use super::{Days, Source, Start, Strategy, Updates, Window};
use crate::wizard::ask::{Asker, MENU_BYTES};
use crate::wizard::lang::say;
use crate::wizard::layout::fit;

/// Asks for source and strategy until the user goes back.
pub(in crate::wizard) fn ask(asker: &mut Asker, updates: &mut Updates) -> Result<()> {
    let lang = asker.lang();
    loop {
        asker.title(say!(lang, "Updates", "更新"));
        let source = updates.source.as_ref().map(Source::short);
        let strategy = updates.strategy.as_ref().map(|s| s.summary(lang));
        let unset = || say!(lang, "as the image says", "使用镜像默认值");
        let items = [
            // Bytes count here, and a Chinese character has one more than its columns.
            fit(
                &say!(lang, "Source: {}", "来源: {}", source.clone().unwrap_or_else(unset)),
                MENU_BYTES - 8,
            ),
            say!(lang, "Reboots: {}", "重启: {}", strategy.unwrap_or_else(unset)),
            say!(lang, "Back", "返回"),
        ];
        match asker.menu(&say!(lang, "Updates", "更新"), &items, 0)? {
            0 => {
                asker.note(say!(
                    lang,
                    "An image such as registry.example.com/nestos:stable; - for none.",
                    "镜像形如 registry.example.com/nestos:stable;输入 - 表示不设置。"
                ));
                let question = say!(lang, "Image", "镜像");
                let answer =
                    asker.line(&question, Some(source.as_deref().unwrap_or("-")), |a| {
                        if a == "-" { Ok(None) } else { a.parse().map(Some) }
                    })?;
                updates.source = answer.unwrap_or_else(|| updates.source.take());
            }
            1 => ask_strategy(asker, &mut updates.strategy)?,
            _ => return Ok(()),
        }
    }
}

fn ask_strategy(asker: &mut Asker, strategy: &mut Option<Strategy>) -> Result<()> {
    let lang = asker.lang();
    let items = [
        say!(lang, "As the image says", "使用镜像默认值"),
        say!(lang, "Reboot as soon as an update is there", "更新就绪后立即重启"),
        say!(lang, "Reboot only at set times", "仅在指定时间重启"),
        say!(lang, "No updates", "不更新"),
        say!(lang, "Back", "返回"),
    ];
    let at = match strategy {
        None => 0,
        Some(Strategy::Immediate) => 1,
        Some(Strategy::Periodic(_)) => 2,
        Some(Strategy::Off) => 3,
    };
    *strategy = match asker.menu(&say!(lang, "Reboots", "重启"), &items, at)? {
        0 => None,
        1 => Some(Strategy::Immediate),
        2 => {
            let known = match strategy {
                Some(Strategy::Periodic(window)) => Some(window.clone()),
                _ => None,
            };
            match ask_window(asker, known.as_ref())? {
                Some(window) => Some(Strategy::Periodic(window)),
                None => strategy.take(),
            }
        }
        3 => Some(Strategy::Off),
        _ => strategy.take(),
    };
    Ok(())
}

/// Asks for days, start and length. Going back goes to the question before.
fn ask_window(asker: &mut Asker, known: Option<&Window>) -> Result<Option<Window>> {
    let lang = asker.lang();
    let mut days = known.map_or_else(|| "Sat,Sun".to_owned(), |w| w.days.to_string());
    let mut start = known.map_or_else(|| "03:00".to_owned(), |w| w.start.to_string());
    let minutes = known.map_or_else(|| "60".to_owned(), |w| w.minutes.to_string());
    let about_days = say!(lang, "Days, or daily", "星期,或 daily 表示每天");
    let about_start = say!(lang, "From, in the machine's own time", "开始时间(本机时间)");
    let about_minutes = say!(lang, "For how many minutes", "持续分钟数");
    while let Some(on) = asker.line(&about_days, Some(&days), str::parse::<Days>)? {
        days = on.to_string();
        while let Some(from) = asker.line(&about_start, Some(&start), str::parse::<Start>)? {
            start = from.to_string();
            if let Some(minutes) = asker.line(&about_minutes, Some(&minutes), str::parse)? {
                return Ok(Some(Window { days: on, start: from, minutes }));
            }
        }
    }
    Ok(None)
}
