//! The keys as flags of the command line.

use super::key::Kind;
use super::keys::KEYS;
use super::values::{Given, Layer, Origin, split};
use clap::{Arg, ArgAction, ArgMatches, Command};

/// What the command line gives.
#[derive(Clone, Default, Debug)]
pub(crate) struct Flags(pub(crate) Layer);

impl clap::FromArgMatches for Flags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let given = KEYS.iter().filter_map(|key| {
            let texts: Vec<String> = match key.kind {
                Kind::Switch => matches.get_flag(key.flag).then(|| vec!["true".to_owned()])?,
                _ => matches.get_many::<String>(key.flag)?.flat_map(|text| split(key, text)).collect(),
            };
            Some((key.name, Given { texts, origin: Origin::Flag }))
        });
        Ok(Self(given.collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        self.0.extend(Self::from_arg_matches(matches)?.0);
        Ok(())
    }
}

impl clap::Args for Flags {
    fn augment_args(command: Command) -> Command {
        KEYS.iter().fold(command, |command, key| {
            let default = key.default.map(|default| format!(" (without it {default})")).unwrap_or_default();
            let help = format!("{}{default} [{}; {}]", key.says, key.name, key.variable());
            let argument = Arg::new(key.flag).long(key.flag).help(help);
            command.arg(match key.kind {
                Kind::Switch => argument.action(ArgAction::SetTrue),
                Kind::Many(_) => argument.action(ArgAction::Append).value_name(key.kind.placeholder()),
                _ => argument.action(ArgAction::Set).value_name(key.kind.placeholder()),
            })
        })
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}
