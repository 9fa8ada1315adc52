//! Fonts with Korean glyphs, without which screenshots and widths of Korean pages mean nothing.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Component, debian};
use crate::command;

/// Noto Sans CJK, or any other font that fontconfig knows for Korean.
pub(super) const CJK: Component = Component {
    name: "CJK fonts",
    variable: None,
    find: |_| find(),
    install: |_| debian::install(&["fonts-noto-cjk"]),
    by_hand: "apt-get install fonts-noto-cjk, or any font with Korean glyphs",
};

fn find() -> Result<PathBuf, String> {
    let debian = Path::new("/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc");
    if debian.is_file() {
        return Ok(debian.to_owned());
    }
    let mut list = Command::new("fc-list");
    list.args([":lang=ko", "file"]);
    command::output(&mut list)
        .ok()
        .and_then(|fonts| {
            fonts.lines().next().map(|line| PathBuf::from(line.trim_end_matches([':', ' '])))
        })
        .ok_or_else(|| "no font for Korean".to_owned())
}
