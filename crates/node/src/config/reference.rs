//! What follows from the table for people: `docs/configuration.md`, a file to begin with, and the effective values.

use super::key::{Key, Kind, Reload};
use super::keys::{KEYS, SECTIONS};
use super::values::{Origin, Values};
use crate::settings::StoreUrl;
use std::fmt::Write as _;

/// Columns of a line.
const COLUMNS: usize = 110;

const HEAD: &str = "\
# Configuration

Generated from the table of keys in `crates/node/src/config/keys.rs` by
`POSTERN_BLESS=1 cargo test -p postern configuration_page`; a test fails when it is stale.

`postern serve --config FILE` reads its settings from a TOML file. Each key can also be given as a variable of the
environment, or as a flag. A flag stands before a variable, a variable before the file, the file before the default. In
variables lists have commas between; an empty variable says nothing. Relative paths begin where the process was started.

```sh
postern config template > postern.toml     # every key, each in a comment with its default
postern config check postern.toml          # validates everything and starts nothing
postern config show postern.toml           # the effective values and where each comes from; secrets are hidden
```

A key that is not known, or whose value cannot be, is refused with its line and the key that was probably meant; nothing
starts then. A password belongs into a file of its own, for which the keys that end in `_file` are there; one that
stands in the settings file is used, and warned about.

SIGHUP (`systemctl reload postern`) reads the file again. Keys with *SIGHUP* below take effect at once, and so do
certificate and key when their files have changed. Of other keys the log says that they wait for the next start. A file
that is wrong changes nothing, and the log says why.
";

/// `docs/configuration.md`.
pub(crate) fn page() -> String {
    let mut out = HEAD.to_owned();
    for (section, about) in SECTIONS {
        let _ = write!(out, "\n## `[{section}]`\n\n{about}\n");
        for key in of(section) {
            let _ = write!(out, "\n### `{}`\n\n{}\n\n", key.name, wrapped(key.says, ""));
            let default = match (key.default, key.kind) {
                (None, _) => "none".to_owned(),
                (Some(default), _) if key.unit.is_empty() => format!("`{default}`"),
                (Some(default), _) => format!("`{default}` {}", key.unit),
            };
            let effect = match key.reload {
                Reload::Signal => "SIGHUP",
                Reload::Restart => "the next start",
            };
            let secret = if key.secret { "; secret" } else { "" };
            let _ = write!(
                out,
                "- {}; default {default}{secret}\n- flag `--{}`, variable `{}`\n- a change takes effect with {effect}\n\
                 - example: `{} = {}`\n",
                key.kind.described(),
                key.flag,
                key.variable(),
                key.parts().1,
                key.example
            );
        }
    }
    out
}

/// A file with every key in a comment.
pub(crate) fn template() -> String {
    let mut out = "# Settings of Postern. Every key is here; take the # away from those you want to say.\n\
                   # What each means in full: docs/configuration.md. Check it: postern config check FILE\n"
        .to_owned();
    for (section, about) in SECTIONS {
        let _ = write!(out, "\n# {about}\n[{section}]\n");
        for key in of(section) {
            let default = key.default.map(|default| format!(" Default: {default}.")).unwrap_or_default();
            let _ = write!(out, "\n{}\n", wrapped(&format!("{}{default}", key.says), "# "));
            let _ = writeln!(out, "#{} = {}", key.parts().1, key.example);
        }
    }
    out
}

/// The effective values as a file, each with the place it comes from. Secrets are hidden.
pub(crate) fn effective(values: &Values) -> String {
    let mut out = String::new();
    for (section, _) in SECTIONS {
        let said: Vec<String> = of(section)
            .filter_map(|key| {
                let given = values.given(key)?;
                let value = if key.secret { hidden(&given.texts) } else { toml(key.kind, &given.texts) };
                Some(format!("{} = {value}  # {}", key.parts().1, given.origin.place(key)))
            })
            .collect();
        if !said.is_empty() {
            let _ = write!(out, "[{section}]\n{}\n\n", said.join("\n"));
        }
    }
    out
}

/// A file that says what was given in `values` and nothing else.
pub(crate) fn written(values: &Values) -> String {
    let mut out = String::new();
    for (section, about) in SECTIONS {
        let said: Vec<String> = of(section)
            .filter_map(|key| {
                let given = values.given(key).filter(|given| given.origin != Origin::Default)?;
                Some(format!("{} = {}", key.parts().1, toml(key.kind, &given.texts)))
            })
            .collect();
        if !said.is_empty() {
            let _ = write!(out, "# {about}\n[{section}]\n{}\n\n", said.join("\n"));
        }
    }
    out
}

fn of(section: &str) -> impl Iterator<Item = &'static Key> {
    KEYS.iter().filter(move |key| key.parts().0 == section)
}

/// What stands in a URL beyond doubt.
fn hidden(texts: &[String]) -> String {
    let shown = texts.first().map(|text| {
        let Ok(url): Result<StoreUrl, _> = text.parse();
        url.to_string()
    });
    quoted(&shown.unwrap_or_default())
}

fn toml(kind: Kind, texts: &[String]) -> String {
    let first = texts.first().map(String::as_str).unwrap_or_default();
    match kind {
        Kind::Number { .. } | Kind::Switch => first.to_owned(),
        Kind::Many(_) => format!("[{}]", texts.iter().map(|text| quoted(text)).collect::<Vec<_>>().join(", ")),
        _ => quoted(first),
    }
}

fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

/// Words in lines.
fn wrapped(text: &str, before: &str) -> String {
    let mut lines = vec![before.to_owned()];
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + word.chars().count() < COLUMNS => {
                if line.len() > before.len() {
                    line.push(' ');
                }
                line.push_str(word);
            }
            _ => lines.push(format!("{before}{word}")),
        }
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "how a test is told to write the page")]
    fn configuration_page_is_current() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/configuration.md");
        if std::env::var_os("POSTERN_BLESS").is_some() {
            std::fs::write(path, page()).unwrap();
        }
        let written = std::fs::read_to_string(path).unwrap_or_default();
        assert_eq!(written, page(), "stale: POSTERN_BLESS=1 cargo test -p postern configuration_page");
        for key in KEYS {
            assert!(written.contains(&format!("### `{}`\n", key.name)), "{}", key.name);
        }
        assert!(written.lines().all(|line| line.chars().count() <= 120));
    }

    #[test]
    fn a_template_says_nothing_and_with_its_comments_taken_away_says_every_key() {
        let (layer, problems) = super::super::file::parse(&template(), Path::new("t.toml"));
        assert!(layer.is_empty() && problems.is_empty(), "{problems:?}");
        let commented = template();
        let uncommented = commented.lines().map(|line| match line.strip_prefix('#') {
            Some(rest) if !rest.starts_with(' ') => rest.to_owned(),
            _ => line.to_owned(),
        });
        let uncommented = uncommented.collect::<Vec<_>>().join("\n");
        let (layer, problems) = super::super::file::parse(&uncommented, Path::new("t.toml"));
        assert!(problems.is_empty(), "{problems:?}");
        assert_eq!(layer.len(), KEYS.len());
    }

    #[test]
    fn what_is_shown_can_be_read_again_and_holds_no_secret() {
        let text = "store.url = \"postgres://node:SECRET@db/mail\"\nnode.name = 'a \"b\"'\n\
                    acme.contact = [\"a@b.example\"]\n";
        let (layer, _) = super::super::file::parse(text, Path::new("t.toml"));
        let (values, _) = Values::of(vec![layer]);
        let shown = effective(&values);
        assert!(
            shown.contains("url = \"postgres://node@db/mail\"  # file, line 1") && !shown.contains("SECRET"),
            "{shown}"
        );
        assert!(shown.contains("mx_port = 25  # default"), "{shown}");
        for shown in [shown, written(&values)] {
            let (again, problems) = super::super::file::parse(&shown, Path::new("t.toml"));
            assert!(problems.is_empty(), "{problems:?}");
            assert_eq!(again["node.name"].texts, ["a \"b\""]);
        }
        assert!(!written(&values).contains("mx_port"));
    }
}
