//! SQL is made of constants: a value goes in as a bound parameter, never as a part of the text.
//!
//! A statement that is put together may hold names of ours, which this file lists; whatever else stands
//! between braces in a text of SQL is a finding.

use super::Findings;
use crate::failure::{During, Outcome};
use crate::sources;
use crate::workspace::Workspace;

/// Crates that speak SQL.
const BACKENDS: &[&str] = &["auth-sqlite", "auth-postgres"];

/// What may be put into a statement: constants of the code, parts that are made of nothing else, places
/// of parameters, and the schema, which its options check.
const PARTS: &[&str] = &[
    "schema",
    "from",
    "order",
    "window",
    "cursor",
    "range",
    "alone",
    "with_record",
    "at",
    "limit",
    "columns",
    "chosen",
    "expired_at",
];

/// Words with which a text is one of SQL.
const WORDS: &[&str] = &[
    "SELECT ",
    "INSERT ",
    "UPDATE ",
    "DELETE ",
    "CREATE ",
    "ALTER ",
    "DROP ",
    "FROM ",
    "WHERE ",
    "ORDER BY ",
    "LIMIT ",
    "PRAGMA ",
];

/// Looks at the text of every `format!` and its like in the backends.
pub(super) fn check(workspace: &Workspace) -> Outcome<Findings> {
    let mut findings = Findings::default();
    let mut statements = 0;
    for backend in BACKENDS {
        let source = workspace.root().join(backend).join("src");
        if !source.is_dir() {
            continue;
        }
        for file in sources::rust_files(&source)? {
            let code =
                std::fs::read_to_string(&file).during(format!("reading {}", file.display()))?;
            let place = file.strip_prefix(workspace.root()).unwrap_or(&file).display().to_string();
            for text in texts(&code) {
                statements += 1;
                for part in foreign(text) {
                    findings.problems.push(format!(
                        "{place}: `{{{part}}}` stands in a text of SQL; bind values as parameters, or list \
                         a constant in xtask/src/check/sql.rs"
                    ));
                }
            }
        }
    }
    findings.summary = format!("{statements} statements are put together, of constants alone");
    Ok(findings)
}

/// The format strings of `code` that are SQL.
fn texts(code: &str) -> Vec<&str> {
    let mut texts = Vec::new();
    for call in ["format!(", "write!(", "writeln!(", "format_args!("] {
        for (start, _) in code.match_indices(call) {
            let arguments = &code[start + call.len()..];
            let Some(open) = arguments.find('"') else { continue };
            if arguments[..open].contains([';', ')']) {
                continue;
            }
            let text = &arguments[open + 1..];
            let end = text
                .char_indices()
                .find(|(at, c)| *c == '"' && !text[..*at].ends_with('\\'))
                .map_or(text.len(), |(at, _)| at);
            if WORDS.iter().any(|word| text[..end].contains(word)) {
                texts.push(&text[..end]);
            }
        }
    }
    texts
}

/// What stands between braces and is not one of ours. Nameless places are: what fills them is not seen
/// here, unless it is the number of a parameter.
fn foreign(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    for (start, _) in text.match_indices('{') {
        let before = &text[..start];
        let rest = &text[start + 1..];
        let Some(part) = rest.split('}').next() else { continue };
        let numbered = before.ends_with('?') || before.ends_with('$');
        let constant =
            !part.is_empty() && part.bytes().all(|b| b.is_ascii_uppercase() || b == b'_');
        let permitted = constant || PARTS.contains(&part) || part.is_empty() && numbered;
        if !permitted {
            found.push(part);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::{foreign, texts};

    #[test]
    fn a_464_a_value_in_a_statement_is_found() {
        let good =
            r#"format!("SELECT {COLUMNS} FROM {schema}.record WHERE key = $1 LIMIT ?{}", at)"#;
        assert_eq!(texts(good).len(), 1);
        assert!(foreign(texts(good)[0]).is_empty());
        for bad in [
            r#"format!("SELECT * FROM record WHERE key = '{key}'")"#,
            r#"format!("SELECT * FROM record WHERE key = '{}'", key)"#,
            r#"write!(text, "DELETE FROM record WHERE tenant = {tenant:?}")"#,
        ] {
            assert_eq!(foreign(texts(bad)[0]).len(), 1, "{bad}");
        }
        assert!(texts(r#"format!("the file {path} is not ours")"#).is_empty());
    }
}
