//! Values and where each was given.

use super::key::Key;
use super::keys::KEYS;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What one place gives: by the name of the key.
pub(crate) type Layer = BTreeMap<&'static str, Given>;

/// A value. A list has its items; all else is one text.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Given {
    pub(crate) texts: Vec<String>,
    pub(crate) origin: Origin,
}

/// Where a value was given.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Origin {
    Default,
    File { path: PathBuf, line: usize },
    Environment,
    Flag,
}

/// The effective values of all keys.
#[derive(Clone, Debug)]
pub(crate) struct Values(Layer);

impl Origin {
    /// What is stronger has more.
    pub(crate) const fn rank(&self) -> u8 {
        match self {
            Self::Default => 0,
            Self::File { .. } => 1,
            Self::Environment => 2,
            Self::Flag => 3,
        }
    }

    /// How a complaint names the key.
    pub(crate) fn name(&self, key: &Key) -> String {
        match self {
            Self::Default | Self::Flag => format!("--{}", key.flag),
            Self::Environment => key.variable(),
            Self::File { path, line } => format!("{}, line {line}: {}", path.display(), key.name),
        }
    }

    /// How `config show` names the place.
    pub(crate) fn place(&self, key: &Key) -> String {
        match self {
            Self::Default => "default".to_owned(),
            Self::Flag => format!("flag --{}", key.flag),
            Self::Environment => format!("variable {}", key.variable()),
            Self::File { line, .. } => format!("file, line {line}"),
        }
    }
}

impl Values {
    /// The layers, the weakest first, over the defaults. What cannot be read is told beside, with its place.
    pub(crate) fn of(layers: Vec<Layer>) -> (Self, Vec<String>) {
        let mut all: Layer = KEYS
            .iter()
            .filter_map(|key| Some((key.name, Given { texts: split(key, key.default?), origin: Origin::Default })))
            .collect();
        all.extend(layers.into_iter().flatten());
        let faults = KEYS.iter().filter_map(|key| {
            let given = all.get(key.name)?;
            key.fault(&given.texts).map(|fault| format!("{}: {fault}", given.origin.name(key)))
        });
        let faults = faults.collect();
        (Self(all), faults)
    }

    /// What was given for a key.
    pub(crate) fn given(&self, key: &Key) -> Option<&Given> {
        self.0.get(key.name)
    }

    /// Was it said by somebody?
    pub(crate) fn is_said(&self, key: &Key) -> bool {
        self.given(key).is_some_and(|given| given.origin != Origin::Default)
    }

    /// How a complaint about a key names it.
    pub(crate) fn name(&self, key: &Key) -> String {
        self.given(key).map_or_else(|| format!("--{}", key.flag), |given| given.origin.name(key))
    }

    /// One text.
    pub(crate) fn text(&self, key: &Key) -> Option<&str> {
        self.given(key).and_then(|given| given.texts.first()).map(String::as_str)
    }

    /// The items of a list.
    pub(crate) fn list(&self, key: &Key) -> &[String] {
        self.given(key).map_or(&[], |given| &given.texts)
    }

    /// A path.
    pub(crate) fn path(&self, key: &Key) -> Option<PathBuf> {
        self.text(key).map(PathBuf::from)
    }

    /// Anything that was checked by its kind.
    pub(crate) fn parsed<T: std::str::FromStr>(&self, key: &Key) -> anyhow::Result<Option<T>> {
        self.text(key).map(|text| text.parse().map_err(|_| self.wrong(key))).transpose()
    }

    fn wrong(&self, key: &Key) -> anyhow::Error {
        anyhow::anyhow!("{} is not {}, such as {}", self.name(key), key.kind.described(), key.example)
    }

    /// A number that has a default.
    pub(crate) fn number<T: std::str::FromStr>(&self, key: &Key) -> anyhow::Result<T> {
        self.parsed(key)?.ok_or_else(|| self.wrong(key))
    }

    /// Is a switch on?
    pub(crate) fn is_on(&self, key: &Key) -> bool {
        self.text(key) == Some("true")
    }

    /// What `of` chooses is from now on as in `newer`.
    pub(crate) fn take_over(&mut self, mut newer: Self, of: impl Fn(&Key) -> bool) {
        for key in KEYS.iter().filter(|key| of(key)) {
            match newer.0.remove(key.name) {
                Some(given) => drop(self.0.insert(key.name, given)),
                None => drop(self.0.remove(key.name)),
            }
        }
    }

    /// The keys that differ.
    pub(crate) fn changed<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = &'static Key> + 'a {
        KEYS.iter().filter(|key| self.list(key) != other.list(key))
    }
}

/// A text of the environment or of a flag: lists stand there with commas between.
pub(crate) fn split(key: &Key, text: &str) -> Vec<String> {
    match key.kind {
        super::key::Kind::Many(_) => {
            text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect()
        }
        _ => vec![text.to_owned()],
    }
}

/// What the environment gives; an empty variable gives nothing.
pub(crate) fn environment(look: impl Fn(&str) -> Option<String>) -> Layer {
    let given = |key: &'static Key| {
        let text = look(&key.variable()).filter(|text| !text.is_empty())?;
        Some((key.name, Given { texts: split(key, &text), origin: Origin::Environment }))
    };
    KEYS.iter().filter_map(given).collect()
}

/// A path with the file that names it, for complaints.
pub(crate) fn in_file(path: &Path, line: usize) -> Origin {
    Origin::File { path: path.to_owned(), line }
}

#[cfg(test)]
mod tests {
    use super::super::keys::{ACME_CONTACT, MX_PORT, ROLES};
    use super::*;

    fn layer(key: &Key, text: &str, origin: Origin) -> Layer {
        Layer::from([(key.name, Given { texts: split(key, text), origin })])
    }

    #[test]
    fn a_flag_stands_before_the_environment_that_before_the_file_and_the_file_before_the_default() {
        let layers = [
            layer(&MX_PORT, "1", in_file(Path::new("p.toml"), 3)),
            layer(&MX_PORT, "2", Origin::Environment),
            layer(&MX_PORT, "3", Origin::Flag),
        ];
        for (count, expected, name) in [
            (0, "25", "--mx-port"),
            (1, "1", "p.toml, line 3: delivery.mx_port"),
            (2, "2", "POSTERN_MX_PORT"),
            (3, "3", "--mx-port"),
        ] {
            let (values, faults) = Values::of(layers.iter().take(count).cloned().collect());
            assert!(faults.is_empty());
            assert_eq!((values.text(&MX_PORT), values.name(&MX_PORT).as_str()), (Some(expected), name));
        }
        let (_, faults) = Values::of(vec![layer(&MX_PORT, "x", Origin::Environment)]);
        assert_eq!(faults, ["POSTERN_MX_PORT: \"x\" is not a whole number from 1 to 65535, such as 25"]);
    }

    #[test]
    fn the_environment_gives_lists_with_commas_and_nothing_where_it_is_empty() {
        let look = |name: &str| match name {
            "POSTERN_ACME_CONTACT" => Some("a@example.org, b@example.org".to_owned()),
            "POSTERN_ROLES" => Some(String::new()),
            _ => None,
        };
        let (values, _) = Values::of(vec![environment(look)]);
        assert_eq!(values.list(&ACME_CONTACT), ["a@example.org", "b@example.org"]);
        assert!(values.is_said(&ACME_CONTACT) && !values.is_said(&ROLES));
    }
}
