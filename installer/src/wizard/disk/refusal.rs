//! Why a disk cannot be chosen, and what to do about it.

use std::fs;
use std::os::unix::fs::FileTypeExt;
use std::path::Path;

use nestos_host::disk_use::{self, Free, Sources};
use nestos_host::disks::Obstacle;

use crate::wizard::lang::{Lang, Told, told};

/// Fewest bytes of a file that can stand for a disk: no system fits into less.
const SMALLEST: u64 = 16 * 1024 * 1024;

/// Returns what frees a disk that is in use, as one would type it.
pub(super) fn steps(obstacle: &Obstacle, device: &Path) -> Vec<String> {
    let Obstacle::Busy(_) = obstacle else { return vec![] };
    let name = device.strip_prefix("/dev").unwrap_or(device).to_string_lossy().replace('/', "!");
    let uses = Sources::system().uses_of(&name);
    let asked = uses.iter().filter_map(|u| match &u.free {
        Free::Ask(advice) => Some(advice.clone()),
        _ => None,
    });
    asked.chain(disk_use::commands(&uses)).collect()
}

/// Says why a disk cannot be used, and what to do about it.
pub(super) fn refusal(path: &Path, obstacle: &Obstacle, steps: &[String]) -> Told {
    let (path, zh) = (path.display(), obstacle_in(Lang::Zh, obstacle));
    if steps.is_empty() {
        return Told::new(format!("{path}: {obstacle}"), format!("{path}: {zh}"));
    }
    let steps = steps.join("\n      ");
    Told::new(
        format!(
            "{path}: {obstacle}\n  free it in another console, then choose it again:\n      {steps}"
        ),
        format!("{path}: {zh}\n  请在另一个控制台中释放该磁盘,然后重新选择:\n      {steps}"),
    )
}

/// Refuses what is neither a whole disk nor a file that could be the image of one.
pub(super) fn check_kind(path: &Path) -> Result<(), Told> {
    let shown = path.display();
    let meta = fs::metadata(path)
        .map_err(|e| told!("cannot look at {}: {}", "无法读取 {}: {}", shown, e))?;
    let kind = meta.file_type();
    if kind.is_block_device() {
        let name = path.file_name().unwrap_or_default();
        if Path::new("/sys/class/block").join(name).join("partition").exists() {
            return Err(told!(
                "{} is a partition; name the whole disk",
                "{} 是一个分区;请输入整块磁盘",
                shown
            ));
        }
        return Ok(());
    }
    if !kind.is_file() {
        return Err(told!("{} is no disk", "{} 不是磁盘", shown));
    }
    if meta.len() < SMALLEST {
        return Err(told!("{} is too small to be a disk", "{} 太小,不能用作磁盘", shown));
    }
    Ok(())
}

/// Says what stands in the way; what the kernel calls things stays as it is.
pub(super) fn obstacle_in(lang: Lang, obstacle: &Obstacle) -> String {
    match (lang, obstacle) {
        (Lang::En, _) => obstacle.to_string(),
        (Lang::Zh, Obstacle::ReadOnly) => "只读".to_owned(),
        (Lang::Zh, Obstacle::RunningSystem(u)) => {
            format!("当前运行的系统在此磁盘上({} {})", u.device, u.what)
        }
        (Lang::Zh, Obstacle::Path(device)) => format!("多路径设备 {device} 的一条路径"),
        (Lang::Zh, Obstacle::Busy(u)) => format!("使用中({} {})", u.device, u.what),
    }
}

#[cfg(test)]
mod tests {
    use nestos_host::disk_use::Use;

    use super::*;

    #[test]
    fn a_disk_in_use_comes_with_the_commands_that_free_it() {
        let (device, what) = ("/srv".to_owned(), "mounted".to_owned());
        let busy = Obstacle::Busy(Use { device, what, free: Free::Never });
        let told = refusal(Path::new("/dev/sda"), &busy, &["umount /srv".to_owned()]);
        assert_eq!(
            told.to_string(),
            "/dev/sda: /srv is mounted\n  free it in another console, then choose it again:\n      \
             umount /srv"
        );
        assert!(told.say(Lang::Zh).ends_with("重新选择:\n      umount /srv"));
    }
}
