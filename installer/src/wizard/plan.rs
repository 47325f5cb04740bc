//! What the conversation is about: what was answered so far, and all of it together.

use anyhow::Result;
use nestos_formats::kargs::KernelArgs;

use super::ask::{Asker, MENU_BYTES};
use super::disk::Target;
use super::hostname::Hostname;
use super::lang::{Lang, say, told};
use super::layout::fit;
use super::net::Connection;
use super::ssh::SshKey;
use super::update::{Source, Strategy, Updates};
use super::user::{PasswordHash, UserName};
use super::zone::{self, Zone};
use super::{net, ssh, update};

/// All answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) user: UserName,
    pub(super) password: PasswordHash,
    pub(super) target: Target,
    pub(super) extras: Extras,
}

/// The answers of the fast path so far; going back loses none.
#[derive(Debug, Clone, Default)]
pub(super) struct Draft {
    pub(super) user: Option<UserName>,
    pub(super) password: Option<PasswordHash>,
    pub(super) target: Option<Target>,
    pub(super) extras: Extras,
}

impl Draft {
    /// Returns all answers, once there are all.
    pub(super) fn plan(&self) -> Option<Plan> {
        Some(Plan {
            user: self.user.clone()?,
            password: self.password.clone()?,
            target: self.target.clone()?,
            extras: self.extras.clone(),
        })
    }
}

/// What is asked only of those who want more.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Extras {
    pub(super) ssh_keys: Vec<SshKey>,
    pub(super) hostname: Option<Hostname>,
    pub(super) network: Vec<Connection>,
    pub(super) time_zone: Option<Zone>,
    pub(super) kargs: KernelArgs,
    pub(super) updates: Updates,
}

impl Extras {
    /// Returns name and value of what is set, for the review and the menu.
    fn rows(&self, lang: Lang) -> [(String, Option<String>); 6] {
        let keys = self.ssh_keys.len();
        let network =
            self.network.iter().map(|c| format!("{} {}", c.interface, net::method(c, lang)));
        let network: Vec<String> = network.collect();
        let source = self.updates.source.as_ref().map(Source::short);
        let strategy = self.updates.strategy.as_ref().map(|s: &Strategy| s.summary(lang));
        let updates: Vec<String> = source.into_iter().chain(strategy).collect();
        let some = |texts: Vec<String>| (!texts.is_empty()).then(|| texts.join("; "));
        [
            (say!(lang, "SSH keys", "SSH 公钥"), (keys > 0).then(|| keys.to_string())),
            (say!(lang, "Host name", "主机名"), self.hostname.as_ref().map(Hostname::to_string)),
            (say!(lang, "Network", "网络"), some(network)),
            (say!(lang, "Time zone", "时区"), self.time_zone.as_ref().map(Zone::to_string)),
            (
                say!(lang, "Kernel arguments", "内核参数"),
                Some(self.kargs.to_string()).filter(|k| !k.is_empty()),
            ),
            (say!(lang, "Updates", "更新"), some(updates)),
        ]
    }

    /// Returns name and value of what is set.
    pub(super) fn summary(&self, lang: Lang) -> Vec<(String, String)> {
        self.rows(lang).into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
    }

    /// Lets everything be changed until the user goes back.
    pub(super) fn ask(&mut self, asker: &mut Asker) -> Result<()> {
        let lang = asker.lang();
        let title = say!(lang, "More settings", "更多设置");
        let mut at = 0;
        loop {
            let unset = say!(lang, "not set", "未设置");
            let rows = self.rows(lang);
            let item = |(name, value): &(String, Option<String>)| {
                fit(&format!("{name}: {}", value.as_ref().unwrap_or(&unset)), MENU_BYTES / 2)
            };
            let mut items: Vec<String> = rows.iter().map(item).collect();
            items.push(say!(lang, "Back", "返回"));
            at = asker.menu(&title, &items, at)?;
            match at {
                0 => ssh::ask(asker, &mut self.ssh_keys)?,
                1 => self.ask_hostname(asker)?,
                2 => net::ask(asker, &mut self.network)?,
                3 => {
                    if let Some(zone) = zone::ask(asker, self.time_zone.as_ref())? {
                        self.time_zone = zone;
                    }
                }
                4 => self.ask_kargs(asker)?,
                5 => update::ask(asker, &mut self.updates)?,
                _ => return Ok(()),
            }
        }
    }

    fn ask_hostname(&mut self, asker: &mut Asker) -> Result<()> {
        let lang = asker.lang();
        asker.title(say!(
            lang,
            "Without a name of its own the machine takes that of the network; - is none.",
            "未设置主机名时使用网络分配的名称;- 表示不设置。"
        ));
        let known = self.hostname.as_ref().map_or_else(|| "-".to_owned(), Hostname::to_string);
        let answer = asker.line(&say!(lang, "Host name", "主机名"), Some(&known), |answer| {
            if answer == "-" { Ok(None) } else { answer.parse().map(Some) }
        })?;
        if let Some(name) = answer {
            self.hostname = name;
        }
        Ok(())
    }

    fn ask_kargs(&mut self, asker: &mut Asker) -> Result<()> {
        let lang = asker.lang();
        asker.title(say!(
            lang,
            "Added to those of the image, such as: mitigations=auto quiet. - is none.",
            "将追加到镜像自带的参数之后,例如: mitigations=auto quiet。- 表示无。"
        ));
        let known = match self.kargs.to_string() {
            text if text.is_empty() => "-".to_owned(),
            text => text,
        };
        let question = say!(lang, "Kernel arguments", "内核参数");
        let answer = asker.line(&question, Some(&known), |answer| {
            let args: KernelArgs = match answer {
                "-" => KernelArgs::default(),
                _ => answer.parse().map_err(|e| told!("{0}", "内核参数无效: {0}", e))?,
            };
            args.check_length().map_err(|e| told!("{0}", "内核参数无效: {0}", e))?;
            Ok(args)
        })?;
        if let Some(args) = answer {
            self.kargs = args;
        }
        Ok(())
    }
}
