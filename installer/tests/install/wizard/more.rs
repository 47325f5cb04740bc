//! The menus behind "more", in both languages.

use base64::Engine;
use nestos_host::cmd::Cmd;

use super::screen::{KEY, Screen, disk, terminals};
use crate::support::{Answer, Bench, MIB, boot_file, serve};

/// Answers the fast path up to the review.
fn to_review(screen: &Screen, bench: &Bench, questions: [&str; 4]) {
    let [user, password, again, place] = questions;
    screen.answer(user, "nest");
    screen.answer(password, "correct horse");
    screen.answer(again, "correct horse");
    screen.answer(place, disk(bench));
}

const ENGLISH: [&str; 4] = [
    "User name:",
    "Password (it is not shown):",
    "The same password again:",
    "Disk to install to:",
];
const CHINESE: [&str; 4] = ["用户名:", "密码(不显示):", "再次输入相同的密码:", "安装到哪块磁盘:"];

/// A second key, as a server gives it.
const SERVED: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEJ/x0ZyaTYEvzTWk0aRTTMsFwKHPbGIx0BLbGVSrCV0";

fn set_keys(screen: &Screen) {
    screen.pick("SSH keys: not set");
    screen.pick("Paste a key");
    screen.answer("Key, on one line:", "ssh-ed25519 AAAAC3Nza");
    screen.shows("the key is cut off or damaged");
    screen.answer("Key, on one line:", KEY);
    screen.shows(&format!("  ed25519 {} me@example.com", fingerprint(KEY)));
    let url = serve(vec![Answer::Whole(format!("{SERVED}\n").into_bytes())]);
    screen.pick("Fetch keys from a URL");
    screen.answer("URL:", "ftp://nowhere");
    screen.shows("cannot read keys from ftp://nowhere: scheme \"ftp\" is not supported");
    screen.answer("URL:", &url);
    screen.shows(&fingerprint(SERVED));
    screen.answer("Are these the right ones? [y/N]:", "y");
    screen.pick("Back");
}

fn set_hostname(screen: &Screen) {
    screen.pick("Host name: not set");
    screen.answer("Host name [-]:", "-node");
    screen.shows("\"-node\" cannot be a host name");
    screen.answer("Host name [-]:", "node1.example.com");
}

fn set_network(screen: &Screen) {
    screen.pick("Network: not set");
    screen.pick("Another interface");
    screen.answer("Interface:", "test0");
    screen.pick("Fixed addresses");
    screen.answer("Address/prefix:", "192.0.2.255/24");
    screen.shows("192.0.2.255 is the broadcast address of its network");
    screen.answer("Address/prefix:", "192.0.2.10/24");
    screen.answer("Gateway [-]:", "198.51.100.1");
    screen.shows("the gateway 198.51.100.1 is not in the network of 192.0.2.10/24");
    screen.answer("Gateway [-]:", "<");
    screen.answer("Address/prefix [192.0.2.10/24]:", "");
    screen.answer("Gateway [-]:", "192.0.2.1");
    screen.answer("Name servers (DNS) [-]:", "192.0.2.53");
    screen.shows("test0    192.0.2.10/24, gateway 192.0.2.1");
    screen.pick("Back");
}

fn set_zone(screen: &Screen) {
    screen.pick("Time zone: not set");
    screen.answer("Time zone [-]:", "");
    screen.pick("Time zone: not set");
    screen.answer("Time zone [-]:", "Shang");
    screen.shows("which one of these? Asia/Shanghai");
    screen.answer("Time zone [-]:", "asia/shanghai");
}

fn set_kargs(screen: &Screen) {
    screen.pick("Kernel arguments: not set");
    screen.answer("Kernel arguments [-]:", "x=$y");
    screen.shows("which the boot loader would change");
    screen.answer("Kernel arguments [-]:", "mitigations=auto quiet");
}

fn set_updates(screen: &Screen) {
    screen.pick("Updates: not set");
    screen.pick("Source: as the image says");
    screen.answer("Image [-]:", "no image");
    screen.answer("Image [-]:", "registry.example.com/nestos:stable");
    screen.pick("Reboots: as the image says");
    screen.pick("Reboot only at set times");
    screen.answer("Days, or daily [Sat,Sun]:", "Mon");
    screen.answer("From, in the machine's own time [03:00]:", "<");
    screen.answer("Days, or daily [Mon]:", "Sun");
    screen.answer("From, in the machine's own time [03:00]:", "25:00");
    screen.shows("\"25:00\" is no time such as 23:30");
    screen.answer("From, in the machine's own time [03:00]:", "23:30");
    screen.answer("For how many minutes [60]:", "90");
    screen.shows("Reboots: reboot Sun from 23:30 for 90 minutes");
    screen.pick("Back");
}

/// Unpacks the compressed content of the keyfile in a config.
fn keyfile_in(config: &str) -> String {
    let data = config.split("test0.nmconnection").nth(1).and_then(|t| t.split("base64,").nth(1));
    let data = data.and_then(|t| t.split('"').next()).unwrap();
    let packed = base64::engine::general_purpose::STANDARD.decode(data).unwrap();
    Cmd::new("gzip").args(["-d", "-c"]).input(packed).output().unwrap()
}

/// Returns the fingerprint that OpenSSH shows.
fn fingerprint(key: &str) -> String {
    let cmd = Cmd::new("ssh-keygen").args(["-l", "-f", "/dev/stdin"]).input(format!("{key}\n"));
    cmd.output().unwrap().split(' ').nth(1).unwrap().to_owned()
}

#[test]
fn every_setting_can_be_made_and_is_installed() {
    if !terminals("every_setting_can_be_made_and_is_installed") {
        return;
    }
    let bench = Bench::new(32 * MIB);
    let screen = Screen::start(&bench, &["LC_ALL=en_US.UTF-8", "TERM=screen"], &[]);
    to_review(&screen, &bench, ENGLISH);
    screen.answer("back, quit:", "more");

    set_keys(&screen);
    set_hostname(&screen);
    set_network(&screen);
    set_zone(&screen);
    set_kargs(&screen);
    set_updates(&screen);
    screen.pick("Back");

    let seen = screen.asks("back, quit:");
    for row in [
        "SSH keys          2",
        "Host name         node1.example.com",
        "Network           test0 192.0.2.10/24, gateway 192.0.2.1",
        "Time zone         Asia/Shanghai",
        "Kernel arguments  mitigations=auto quiet",
        "Updates           registry.example.com/nestos:stable; reboot Sun from 23:30 for",
        "                  90 minutes\n",
    ] {
        assert!(seen.contains(row), "no {row:?} in:\n{seen}");
    }
    screen.answer("back, quit:", "yes");
    screen.shows("NestOS is installed.");
    let config = boot_file(&bench.disk, "/ignition/config.ign");
    for text in [
        KEY,
        SERVED,
        "/etc/hostname",
        "data:,node1.example.com%0A",
        "/etc/NetworkManager/system-connections/test0.nmconnection",
        "../usr/share/zoneinfo/Asia/Shanghai",
        "/etc/nestos-updater/config.d/50-installnestos.toml",
        "nestos-updater rebase ostree-unverified-registry:registry.example.com/nestos:stable",
    ] {
        assert!(config.contains(text), "no {text:?} in:\n{config}");
    }
    let keyfile = keyfile_in(&config);
    let given = "[ipv4]\nmethod=manual\naddress1=192.0.2.10/24\ngateway=192.0.2.1\ndns=192.0.2.53;";
    assert!(keyfile.contains(given), "{keyfile}");
    let entry = boot_file(&bench.disk, "/loader.1/entries/ostree-1-nestos.conf");
    assert!(entry.contains(" mitigations=auto quiet\n"), "{entry}");
}

#[test]
fn every_menu_is_chinese_and_leads_back() {
    if !terminals("every_menu_is_chinese_and_leads_back") {
        return;
    }
    let bench = Bench::new(32 * MIB);
    let screen = Screen::start(&bench, &["LC_ALL=zh_CN.UTF-8", "TERM=screen"], &[]);
    to_review(&screen, &bench, CHINESE);
    screen.answer("quit(退出):", "more");
    screen.pick("SSH 公钥: 未设置");
    screen.pick("粘贴公钥");
    screen.answer("公钥(一行):", "<");
    screen.pick("从文件读取");
    screen.answer("文件:", "/nonexistent");
    screen.shows("无法从 /nonexistent 读取公钥");
    screen.answer("文件:", "<");
    screen.pick("返回");
    screen.pick("主机名: 未设置");
    screen.answer("主机名 [-]:", "a b");
    screen.shows("不能用作主机名");
    screen.answer("主机名 [-]:", "<");
    screen.pick("网络: 未设置");
    screen.pick("其他接口");
    screen.answer("接口:", "test0");
    screen.pick("固定地址");
    screen.answer("地址/前缀:", "192.0.2.1");
    screen.shows("不是带前缀长度的地址");
    screen.answer("地址/前缀:", "<");
    screen.pick("返回");
    screen.pick("时区: 未设置");
    screen.answer("时区 [-]:", "Mars");
    screen.shows("没有时区");
    screen.answer("时区 [-]:", "<");
    screen.pick("内核参数: 未设置");
    screen.answer("内核参数 [-]:", "<");
    screen.pick("更新: 未设置");
    screen.pick("重启: 使用镜像默认值");
    screen.pick("不更新");
    screen.pick("返回");
    screen.shows("更新: 不更新");
    screen.pick("返回");
    let seen = screen.asks("quit(退出):");
    assert!(seen.contains("更新              不更新"), "{seen}");
    screen.answer("quit(退出):", "quit");
    screen.shows("未做任何更改。");
    assert_eq!(screen.status(), "1");
    bench.assert_untouched();
}
