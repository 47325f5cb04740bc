//! What the reference compiler does not look at.

use super::Table;

pub(super) const MESSAGES: Table = &[
    (
        "mode {number} is in decimal; it stands for {octal}",
        "权限 {number} 是十进制数，相当于 {octal}",
    ),
    (
        "this is no password hash; make one with mkpasswd, or with openssl passwd -6",
        "这不是密码的散列值；请用 mkpasswd 或 openssl passwd -6 生成",
    ),
    (
        "the contents are declared to be gzip, but are not; leave compression out and they are \
         compressed where that is shorter",
        "内容被声明为 gzip，但并非如此；不设置 compression 时，压缩后更短的内容会自动压缩",
    ),
    // Keys of users.
    ("sshd will ignore this key: {message}", "sshd 会忽略此公钥：{message}"),
    ("it is a comment", "它是注释"),
    (
        "it is a private key or certificate; use the line in the .pub file",
        "它是私钥或证书；请使用 .pub 文件中的那一行",
    ),
    ("it names no known type, such as ssh-ed25519", "其中没有已知的类型，例如 ssh-ed25519"),
    ("nothing follows {name}", "{name} 之后没有内容"),
    ("the key is cut off or not base64", "公钥不完整，或不是 base64"),
    ("the key is cut off", "公钥不完整"),
    ("it says {name}, but holds a key of type {actual}", "它声明为 {name}，实际类型为 {actual}"),
    // What systemd-analyze says, which itself speaks English only.
    ("systemd, line {line}: {message}", "systemd，第 {line} 行：{message}"),
    (
        "Unknown key name '{key}' in section '{section}', ignoring.",
        "[{section}] 节中的键 '{key}' 未知，将被忽略",
    ),
    (
        "Unknown key '{key}' in section [{section}], ignoring.",
        "[{section}] 节中的键 '{key}' 未知，将被忽略",
    ),
    ("Unknown section '{section}'. Ignoring.", "节 '{section}' 未知，将被忽略"),
    ("Assignment outside of section. Ignoring.", "赋值不在任何节中，将被忽略"),
    ("Missing '=', ignoring line.", "缺少 '='，将忽略此行"),
    ("Missing key name before '=', ignoring line.", "'=' 之前缺少键，将忽略此行"),
    ("Invalid section header '{header}'", "节的开头 '{header}' 无效"),
    (
        "Neither a valid executable name nor an absolute path: {command}",
        "既不是有效的程序名，也不是绝对路径：{command}",
    ),
    ("Failed to parse {what}, ignoring: {value}", "无法解析 {what}，将被忽略：{value}"),
];
