//! Files, directories, links, trees, and files of the user's.

use super::Table;

pub(super) const MESSAGES: Table = &[
    ("path not specified", "没有指定路径"),
    ("path not absolute", "路径必须是绝对路径"),
    ("path is not fully simplified", "路径不是最简形式：不能含有 //、/./ 或 /../，末尾不能有斜杠"),
    ("path conflicts with systemd unit or dropin", "路径与 systemd 单元或其附加配置冲突"),
    ("directory path includes link in config", "目录的路径经过配置中的链接"),
    ("file path includes link in config", "文件的路径经过配置中的链接"),
    ("link path includes link in config", "链接的路径经过配置中的另一个链接"),
    ("link target is required", "必须设置链接的目标 target"),
    ("hard link target is a directory", "硬链接的目标是目录"),
    ("user/group ignored for hard link", "硬链接的 user 和 group 会被忽略"),
    ("cannot set both id and name", "不能同时设置 id 和 name"),
    (
        "overwrite must be false if source is unspecified",
        "没有设置内容来源时，overwrite 必须为 false",
    ),
    ("illegal file mode", "无效的权限"),
    (
        "setuid/setgid/sticky bits are not supported or functional in spec versions older than \
         3.6.0",
        "早于 3.6.0 的规范版本不支持 setuid、setgid 和粘滞位，设置也不起作用",
    ),
    (
        "unreasonable mode would be reasonable if specified in octal; remember to add a leading \
         zero",
        "权限不合理，按八进制书写才合理：请加上前导零",
    ),
    // Trees.
    ("local is required", "必须设置 local"),
    ("root of tree must be a directory", "目录树的根必须是目录"),
    (
        "trees may only contain files, directories, and symlinks",
        "目录树只能包含文件、目录和符号链接",
    ),
    (
        "matching filesystem node has existing contents or different type",
        "该路径已在配置中定义，且已有内容或类型不同",
    ),
    // Local files.
    (
        "local file paths are relative to a files directory that must be specified with \
         -d/--files-dir",
        "本地文件的路径相对于文件目录，必须用 -d/--files-dir 指定该目录",
    ),
    ("local file path traverses outside the files directory", "本地文件的路径超出了文件目录"),
    ("open {path}: {message}", "无法打开 {path}：{message}"),
    ("read {path}: {message}", "无法读取 {path}：{message}"),
    ("stat {path}: {message}", "无法读取 {path} 的属性：{message}"),
    ("lstat {path}: {message}", "无法读取 {path} 的属性：{message}"),
    ("readlink {path}: {message}", "无法读取符号链接 {path}：{message}"),
    ("{path}: name is not UTF-8", "{path}：名称不是 UTF-8"),
    ("{path}: link target is not UTF-8", "{path}：链接目标不是 UTF-8"),
    ("{path} is not UTF-8: {message}", "{path} 不是 UTF-8 文本：{message}"),
    (
        "invalid utf-8 sequence of {length} bytes from index {at}",
        "偏移 {at} 处有 {length} 字节的无效 UTF-8 序列",
    ),
    ("incomplete utf-8 byte sequence from index {at}", "偏移 {at} 处的 UTF-8 序列不完整"),
];
