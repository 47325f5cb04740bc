//! The messages in Chinese, by what they are about.
//!
//! The name of a blank says what becomes of what stands in it: `message` is translated, `lines`
//! are messages with their lines, `type`, `found` and `tag` are types of values, `list` is a list of
//! words; `path` and `text` reach as far as they can; `_` is left out. Anything else stays as it is.

mod boot;
mod command;
mod contents;
mod decompile;
mod header;
mod json;
mod lint;
mod nodes;
mod platform;
mod storage;
mod system;
mod units;
mod urls;
pub(super) mod words;
mod yaml;

/// A part of the messages, each in English and in Chinese.
type Table = &'static [(&'static str, &'static str)];

/// Each message in English and in Chinese. What is general comes after what is special.
pub(super) static TABLES: [Table; 14] = [
    command::MESSAGES,
    header::MESSAGES,
    yaml::MESSAGES,
    json::MESSAGES,
    boot::MESSAGES,
    platform::MESSAGES,
    storage::MESSAGES,
    nodes::MESSAGES,
    contents::MESSAGES,
    urls::MESSAGES,
    units::MESSAGES,
    lint::MESSAGES,
    decompile::MESSAGES,
    system::MESSAGES,
];
