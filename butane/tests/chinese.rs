//! What the compiler says about the corpus, in Chinese.

// The attributes tell clippy that helpers are tests too.
#[cfg(test)]
#[path = "corpus/cases.rs"]
#[expect(dead_code, reason = "the options and results of the cases do not matter here")]
mod cases;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use nestos_butane::{Lang, Lint, Options, Report, compile, translate};
    use nestos_host::cmd::Cmd;
    use regex::Regex;

    use super::cases;

    /// Returns what is left of a message in English, if anything is that is not quoted.
    fn left(message: &str) -> Option<String> {
        let chinese = translate(message, Lang::Chinese);
        let quoted = Regex::new("`[^`]*`|\"[^\"]*\"|'[^']*'").unwrap();
        let unquoted = quoted.replace_all(&chinese, "").into_owned();
        let sentence = Regex::new("[A-Za-z]+( [A-Za-z]+){3,}").unwrap();
        let has_han = chinese.chars().any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c));
        (!has_han || sentence.is_match(&unquoted)).then_some(unquoted)
    }

    fn assert_chinese(messages: &BTreeSet<String>) {
        let left: Vec<_> = messages.iter().filter_map(|m| Some((m, left(m)?))).collect();
        assert!(left.is_empty(), "{} of {} messages: {left:#?}", left.len(), messages.len());
    }

    /// Returns the messages of a report in lines, without their places.
    fn messages(report: &str) -> Vec<String> {
        let entry = Regex::new(r"^(?:error|warning|info) at .*?line \d+ col \d+: (.*)$").unwrap();
        let mut messages: Vec<String> = vec![];
        for line in report.trim_end_matches('\n').lines() {
            if let Some(found) = entry.captures(line) {
                messages.push(found[1].to_owned());
            } else if let Some(last) = messages.last_mut().filter(|_| line.starts_with(' ')) {
                last.push('\n');
                last.push_str(line);
            } else {
                messages.push(line.to_owned());
            }
        }
        messages
    }

    fn say(report: &Report, said: &mut BTreeSet<String>) {
        for entry in report.entries.iter().chain(&report.causes) {
            said.insert(entry.message.clone());
            said.extend(entry.hint.as_ref().map(ToString::to_string));
        }
        said.extend(report.failure.clone());
    }

    #[test]
    fn common_messages_are_worded_so() {
        let cases = [
            ("unused key foo", "未知的键 foo"),
            ("did you mean files?", "是不是 files？"),
            ("mode exists from fcos 1.2.0 on", "mode 从 fcos 1.2.0 起才可用"),
            ("path not absolute", "路径必须是绝对路径"),
            ("duplicate entry defined", "重复的条目"),
            ("open files/a: no such file or directory", "无法打开 files/a：没有那个文件或目录"),
            ("failed to open a.bu: open a.bu: permission denied", "无法打开 a.bu：权限不够"),
            ("Failed to write config to /etc: is a directory", "无法将配置写入 /etc：是一个目录"),
            ("Error translating config: source config is invalid", "无法编译配置：源配置无效"),
            (
                "Error translating config: No translator exists for variant x with version 1.0.0",
                "无法编译配置：不支持变体 x 的版本 1.0.0",
            ),
            (
                "Error translating config: Error unmarshaling yaml: yaml: line 3: did not find \
                 expected key",
                "无法编译配置：无法解析 YAML：第 3 行：此处应为键：请检查缩进",
            ),
            (
                "Error translating config: yaml: unmarshal errors:\n  \
                 line 2: cannot unmarshal !!str `abc` into int\n  \
                 line 4: cannot unmarshal !!map into []v0_4.SSHAuthorizedKey\n  \
                 line 5: mapping key \"path\" already defined at line 1",
                "无法编译配置：YAML 内容与预期不符：\n  \
                 第 2 行：应为整数，而不是字符串 `abc`\n  \
                 第 4 行：应为字符串列表，而不是映射\n  \
                 第 5 行：键 \"path\" 重复，已在第 1 行定义",
            ),
            (
                "json: cannot unmarshal number into Go struct field Ignition.ignition.version of \
                 type string",
                "JSON 字段 Ignition.ignition.version 应为字符串，而不是数字",
            ),
            (
                "only one of the following can be set: inline, local, source",
                "以下各项只能设置一个：inline、local、source",
            ),
            (
                "unit \"a.service\" is enabled, but has no install section so enable does nothing",
                "单元 \"a.service\" 设为启用，但没有 [Install] 节，因此启用不起作用",
            ),
            (
                "Config produced warnings and --strict was specified",
                "配置产生了警告，而命令行指定了 --strict",
            ),
        ];
        for (english, chinese) in cases {
            assert_eq!(translate(english, Lang::Chinese), chinese);
        }
    }

    #[test]
    fn whatever_the_reference_says_is_translated() {
        let mut said = BTreeSet::new();
        for case in cases::all() {
            let report = case.file("expected.stderr-raw");
            said.extend(messages(&String::from_utf8_lossy(&report)));
        }
        assert!(said.len() > 100, "{}", said.len());
        assert_chinese(&said);
    }

    #[test]
    fn whatever_we_say_of_configs_is_translated() {
        let mut said = BTreeSet::new();
        for case in cases::all() {
            let files_dir = case.files_dir();
            let options = Options { files_dir, lint: Lint::On, ..Options::default() };
            match compile(case.input(), &options) {
                Ok(compiled) => {
                    say(&compiled.warnings, &mut said);
                    say(&compiled.lint, &mut said);
                }
                Err(report) => say(&report, &mut said),
            }
        }
        assert!(said.len() > 100, "{}", said.len());
        assert_chinese(&said);
    }

    #[test]
    fn the_command_speaks_chinese_from_the_first_to_the_last_line() {
        let dir = tempfile::tempdir().unwrap();
        let config = "variant: nestos\nversion: 1.0.0\nfoo: 1\nstorage:\n  files:\n    - path: a\n";
        std::fs::write(dir.path().join("a.bu"), config).unwrap();
        let butane = |file: &str| {
            let args = ["--lang", "zh", "--raw-errors", "--lint=always", file];
            let cmd = Cmd::new(env!("CARGO_BIN_EXE_butane")).args(args).cwd(dir.path());
            String::from_utf8(cmd.clean_env().finish().unwrap().stderr).unwrap()
        };
        assert_eq!(
            butane("a.bu"),
            "警告 $.foo，第 3 行第 1 列：未知的键 foo\n\
             错误 $.storage.files.0.path，第 6 行第 13 列：路径必须是绝对路径\n\
             无法编译配置：生成的配置无效\n"
        );
        assert_eq!(butane("b.bu"), "无法打开 b.bu：没有那个文件或目录\n");
        assert_eq!(butane("."), "无法读取 .：是一个目录\n");
    }
}
