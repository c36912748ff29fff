//! Tables of settings in Markdown.

use cache_sdk::{Setting, SettingKind};

/// A table with these heads and rows.
pub(crate) fn table<const N: usize>(heads: [&str; N], rows: impl IntoIterator<Item = [String; N]>) -> String {
    let mut text = line(heads);
    text.push_str(&line([""; N].map(|_| "---")));
    for row in rows {
        text.push_str(&line(row.each_ref().map(String::as_str)));
    }
    text
}

fn line<const N: usize>(cells: [&str; N]) -> String {
    format!("| {} |\n", cells.map(|cell| cell.replace('|', "\\|")).join(" | "))
}

/// What a setting accepts, with its unit.
pub(crate) fn accepted(setting: &Setting) -> String {
    let unit = if setting.name.ends_with("_bytes") { ", in bytes" } else { "" };
    match setting.kind {
        SettingKind::OneOf(words) => {
            words.iter().map(|word| format!("`\"{word}\"`")).collect::<Vec<_>>().join(" or ")
        }
        SettingKind::Duration => "a [time](#times) above zero".to_owned(),
        SettingKind::Timeout => "a [time](#times), zero included, or `\"forever\"`".to_owned(),
        SettingKind::Boolean => "`true` or `false`".to_owned(),
        kind => format!("{kind}{unit}"),
    }
}

/// A default, as one would write it.
pub(crate) fn default(setting: &Setting) -> String {
    let is_value = serde_json::from_str::<serde_json::Value>(setting.default).is_ok();
    if is_value { format!("`{}`", setting.default) } else { setting.default.replace("\"1s\"", "`\"1s\"`") }
}
