//! The settings of `postern serve`: one table of keys ([`keys`]) from which the file, the environment, the flags, the
//! help and `docs/configuration.md` follow, and the way from there to [`Settings`](crate::settings::Settings).
//!
//! Invariants: a flag stands before a variable of the environment, that before the file, the file before the default;
//! an unknown key is refused with its line; a complaint names where the value was given, and repeats no secret.
//! Never: a door opened, a store touched.

pub(crate) mod build;
pub(crate) mod check;
pub(crate) mod file;
pub(crate) mod flags;
pub(crate) mod key;
pub(crate) mod keys;
pub(crate) mod reference;
pub(crate) mod source;
pub(crate) mod values;

pub(crate) use flags::Flags;
pub(crate) use source::Source;
pub(crate) use values::Values;
