//! What is said of one key, and which texts it takes.

use std::net::SocketAddr;

/// One key.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Key {
    /// Section and name in the file, such as `listen.http`.
    pub(crate) name: &'static str,
    /// The flag on the command line without its dashes. The variable follows from it.
    pub(crate) flag: &'static str,
    /// What it takes.
    pub(crate) kind: Kind,
    /// What holds when nobody says anything.
    pub(crate) default: Option<&'static str>,
    /// Of what a number counts.
    pub(crate) unit: &'static str,
    /// A value as it stands in the file.
    pub(crate) example: &'static str,
    /// When a change takes effect.
    pub(crate) reload: Reload,
    /// It holds a secret: the value is never shown.
    pub(crate) secret: bool,
    /// What it is for.
    pub(crate) says: &'static str,
}

/// What a key takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// Any text but an empty one.
    Text,
    /// A whole number within bounds.
    Number {
        /// The least.
        least: u64,
        /// The most.
        most: u64,
    },
    /// Yes or no.
    Switch,
    /// A network address with a port.
    Address,
    /// `http://…` or `https://…`.
    Url,
    /// A file to read.
    File,
    /// A folder.
    Folder,
    /// A list, of what stands here.
    Many(&'static str),
}

/// When a change takes effect.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Reload {
    /// With SIGHUP.
    Signal,
    /// At the next start.
    Restart,
}

impl Key {
    pub(crate) const fn of(name: &'static str, flag: &'static str, kind: Kind) -> Self {
        Self {
            name,
            flag,
            kind,
            default: None,
            unit: "",
            example: "",
            reload: Reload::Restart,
            secret: false,
            says: "",
        }
    }

    pub(crate) const fn says(mut self, says: &'static str, example: &'static str) -> Self {
        self.says = says;
        self.example = example;
        self
    }

    pub(crate) const fn or(mut self, default: &'static str) -> Self {
        self.default = Some(default);
        self
    }

    pub(crate) const fn unit(mut self, unit: &'static str) -> Self {
        self.unit = unit;
        self
    }

    pub(crate) const fn reloadable(mut self) -> Self {
        self.reload = Reload::Signal;
        self
    }

    pub(crate) const fn secret(mut self) -> Self {
        self.secret = true;
        self
    }

    /// The variable of the environment.
    pub(crate) fn variable(&self) -> String {
        format!("POSTERN_{}", self.flag.to_ascii_uppercase().replace('-', "_"))
    }

    /// Section and name.
    pub(crate) fn parts(&self) -> (&'static str, &'static str) {
        self.name.split_once('.').unwrap_or(("", self.name))
    }

    /// What is wrong with these texts, as the end of a sentence; nothing when they can be read.
    pub(crate) fn fault(&self, texts: &[String]) -> Option<String> {
        texts.iter().find_map(|text| {
            let wanted = self.kind.wanted(text)?;
            let shown = if self.secret || text.chars().count() > 100 { "…" } else { text };
            Some(format!("{shown:?} is not {wanted}, such as {}", self.example))
        })
    }
}

impl Kind {
    /// What a text should have been; nothing when it is.
    fn wanted(self, text: &str) -> Option<String> {
        let good = match self {
            Self::Number { least, most } => text.parse().is_ok_and(|number: u64| (least..=most).contains(&number)),
            Self::Switch => matches!(text, "true" | "false"),
            Self::Address => text.parse::<SocketAddr>().is_ok(),
            Self::Url => text.starts_with("https://") || text.starts_with("http://"),
            Self::Text | Self::File | Self::Folder | Self::Many(_) => !text.trim().is_empty(),
        };
        (!good).then(|| self.described())
    }

    /// In words, with its article.
    pub(crate) fn described(self) -> String {
        match self {
            Self::Text => "a text".to_owned(),
            Self::Number { least, most: u64::MAX } => format!("a whole number of at least {least}"),
            Self::Number { least, most } => format!("a whole number from {least} to {most}"),
            Self::Switch => "true or false".to_owned(),
            Self::Address => "an address with a port".to_owned(),
            Self::Url => "an http or https address".to_owned(),
            Self::File => "the path of a file".to_owned(),
            Self::Folder => "the path of a folder".to_owned(),
            Self::Many(what) => format!("a list of {what}"),
        }
    }

    /// What stands for a value in the help.
    pub(crate) const fn placeholder(self) -> &'static str {
        match self {
            Self::Text | Self::Many(_) => "TEXT",
            Self::Number { .. } => "N",
            Self::Switch => "BOOL",
            Self::Address => "ADDRESS:PORT",
            Self::Url => "URL",
            Self::File => "FILE",
            Self::Folder => "DIR",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_a_key_does_not_take_is_named_with_an_example_and_a_secret_is_not_repeated() {
        let port = Key::of("a.b", "b", Kind::Number { least: 1, most: 65_535 }).says("", "25");
        assert_eq!(port.fault(&["25".to_owned()]), None);
        for wrong in ["0", "65536", "-1", "x", ""] {
            let fault = port.fault(&[wrong.to_owned()]).unwrap();
            assert_eq!(fault, format!("{wrong:?} is not a whole number from 1 to 65535, such as 25"));
        }
        let door = Key::of("a.c", "c", Kind::Address).says("", "\"127.0.0.1:25\"");
        assert_eq!(door.fault(&["[::1]:25".to_owned()]), None);
        assert!(door.fault(&["localhost:25".to_owned()]).is_some());
        let secret = Key::of("a.d", "d", Kind::Url).says("", "x").secret();
        assert!(!secret.fault(&["hunter2".to_owned()]).unwrap().contains("hunter2"));
    }
}
