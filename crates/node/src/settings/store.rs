//! Where everything is kept, and how it is opened.

use super::store_url::{StoreKind, StoreUrl};
use crate::cli::EXIT_POISONED;
use crate::clock::SystemClock;
use anyhow::bail;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use store::{BodyPlacement, ClockSource, CreateKey, Homing, Options, PostgresSettings, Roles, Store};

/// The arguments that name a store.
#[derive(clap::Args, Clone, Debug)]
pub struct StoreArguments {
    /// `sqlite` (in the data folder, for one node), or a PostgreSQL database that nodes share:
    /// postgres://NAME:PASSWORD@HOST/DATABASE. Other processes can read a password on the command line; the variable
    /// is seen by fewer.
    #[arg(long, value_name = "URL", env = "POSTERN_STORE", hide_env_values = true)]
    pub store: Option<StoreUrl>,
    /// The PostgreSQL database for keys, with backups of its own. Without it, the one beside that of --store whose name
    /// has `_keys` at its end.
    #[arg(long, value_name = "URL", env = "POSTERN_KEYS", hide_env_values = true)]
    pub keys: Option<StoreUrl>,
    /// Certificates of the authorities that PostgreSQL's own certificate may come from, as PEM.
    #[arg(long, value_name = "FILE")]
    pub store_ca: Option<PathBuf>,
}

/// Where everything is kept.
#[derive(Clone, Debug)]
pub enum StorePlace {
    /// In the data folder.
    Sqlite,
    /// On a server, shared with other nodes.
    Postgres {
        /// The main database.
        url: StoreUrl,
        /// The one for keys.
        keys: Option<StoreUrl>,
        /// Authorities of the servers.
        ca: Option<PathBuf>,
    },
}

impl fmt::Display for StorePlace {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite => out.write_str("sqlite"),
            // Without the password.
            Self::Postgres { url, .. } => url.fmt(out),
        }
    }
}

impl StoreArguments {
    /// What they name.
    ///
    /// # Errors
    /// When they do not go together. No sentence repeats a URL.
    pub fn place(&self) -> anyhow::Result<StorePlace> {
        if self.keys.as_ref().is_some_and(|keys| keys.kind() != Some(StoreKind::Postgres)) {
            bail!("--keys is not postgres://NAME:PASSWORD@HOST/DATABASE");
        }
        match self.store.as_ref().map(|store| (store, store.kind())) {
            Some((_, None)) => bail!("--store is neither sqlite nor postgres://NAME:PASSWORD@HOST/DATABASE"),
            Some((url, Some(StoreKind::Postgres))) => {
                Ok(StorePlace::Postgres { url: url.clone(), keys: self.keys.clone(), ca: self.store_ca.clone() })
            }
            None | Some((_, Some(StoreKind::Sqlite))) if self.keys.is_some() || self.store_ca.is_some() => {
                bail!("--keys and --store-ca go with a PostgreSQL database in --store")
            }
            None | Some((_, Some(StoreKind::Sqlite))) => Ok(StorePlace::Sqlite),
        }
    }
}

impl StoreArguments {
    /// How a command beside no node opens it: the key over all keys must be there, and large bodies are left alone.
    ///
    /// # Errors
    /// Those of [`Self::place`].
    pub fn settings(&self, master_key: Option<PathBuf>) -> anyhow::Result<StoreSettings> {
        Ok(StoreSettings {
            place: self.place()?,
            bodies: BodyPlacement::Rows,
            master_key,
            create_key: CreateKey::Never,
        })
    }
}

/// A place, and what else is needed to open it.
#[derive(Clone, Debug)]
pub struct StoreSettings {
    /// Where it is.
    pub place: StorePlace,
    /// Where large bodies lie on PostgreSQL.
    pub bodies: BodyPlacement,
    /// The key over all keys; without it, `master.key` in the data folder.
    pub master_key: Option<PathBuf>,
    /// May it be made?
    pub create_key: CreateKey,
}

/// A node as it joins the others.
#[derive(Clone, Debug)]
pub struct Joining {
    /// What an operator calls it.
    pub name: String,
    /// What it does.
    pub roles: Roles,
    /// What its queue rows are bound for.
    pub homing: Homing,
    /// Where it stands, if the operator said so.
    pub region: Option<String>,
}

impl Joining {
    /// A command that takes no share of the nodes' work.
    #[must_use]
    pub fn beside_nodes(name: &str) -> Self {
        Self { name: name.to_owned(), roles: Roles::NONE, homing: Homing::ByDomain, region: None }
    }
}

/// What a store is opened for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Work {
    Usual,
    MovingTags,
}

impl StoreSettings {
    /// Opens it, and joins the nodes that share it.
    ///
    /// # Errors
    /// Those of the store; none holds a password.
    pub async fn open(&self, data: &Path, joining: Joining) -> anyhow::Result<Arc<Store>> {
        self.open_for(data, joining, Work::Usual).await
    }

    /// Opens it to put tags under a new key.
    ///
    /// # Errors
    /// Those of [`Self::open`].
    pub async fn open_to_move_tags(&self, data: &Path, joining: Joining) -> anyhow::Result<Arc<Store>> {
        self.open_for(data, joining, Work::MovingTags).await
    }

    async fn open_for(&self, data: &Path, joining: Joining, work: Work) -> anyhow::Result<Arc<Store>> {
        let mut options = Options::new(Arc::new(SystemClock), data);
        options.homing = joining.homing;
        options.region = joining.region;
        options.create_key = self.create_key;
        options.moves_tags = work == Work::MovingTags;
        if let Some(file) = &self.master_key {
            options.key_file.clone_from(file);
        }
        let store = match &self.place {
            StorePlace::Sqlite => {
                options.on_poison = Some(Arc::new(poisoned));
                Store::open_sqlite(data, options).await?
            }
            // A server that cannot say whether a COMMIT took place is asked again: no reason to end.
            StorePlace::Postgres { url, keys, ca } => {
                let settings = PostgresSettings {
                    url: url.expose().to_owned(),
                    keys_url: keys.as_ref().map(|keys| keys.expose().to_owned()),
                    ca: ca.clone(),
                    name: joining.name,
                    roles: joining.roles,
                    clock: ClockSource::Database,
                    bodies: self.bodies.clone(),
                };
                Store::open_postgres(data, settings, options).await?
            }
        };
        Ok(store)
    }
}

fn poisoned() {
    tracing::error!("it is not known whether the last commit took place; ending, to recover from the file");
    std::process::exit(EXIT_POISONED);
}
