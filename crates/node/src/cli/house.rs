//! What commands on one controller of a data folder share: which folder, which keys, whose.

use crate::settings::{Joining, StoreArguments, StoreSettings};
use anyhow::Context as _;
use model::ControllerId;
use std::path::PathBuf;
use std::sync::Arc;
use store::{BodyPlacement, CreateKey, Homing, Roles, Store};

/// Arguments of every such command.
#[derive(clap::Args, Debug)]
pub(super) struct House {
    /// The data folder. On SQLite no node may use it meanwhile; on PostgreSQL name an empty one, for this command
    /// alone.
    #[arg(long, value_name = "DIR", default_value = "postern-data")]
    data: PathBuf,
    #[command(flatten)]
    store: StoreArguments,
    /// The key over all keys. Without it, master.key in the data folder.
    #[arg(long, value_name = "FILE")]
    master_key: Option<PathBuf>,
    /// Whose people they are: the controller's name or id (ctl_…).
    #[arg(long, value_name = "NAME|ID")]
    controller: String,
}

impl House {
    /// Opens the store beside no node, and finds the controller. `else_ask`: which path of the API does the same.
    pub(super) async fn open(&self, name: &str, else_ask: &str) -> anyhow::Result<(Arc<Store>, ControllerId)> {
        let settings = StoreSettings {
            place: self.store.place()?,
            bodies: BodyPlacement::Rows,
            master_key: self.master_key.clone(),
            create_key: CreateKey::Never,
        };
        let joining = Joining { name: name.to_owned(), roles: Roles::NONE, homing: Homing::ByDomain, region: None };
        let store = settings.open(&self.data, joining).await.with_context(|| {
            format!("this works on a data folder that no node uses; while a node serves, ask {else_ask}")
        })?;
        let named = store.controller_named(&self.controller);
        match named.or_else(|| store.parse_public::<ControllerId>(&self.controller)) {
            Some(controller) => Ok((store, controller)),
            None => {
                store.close().await;
                anyhow::bail!("there is no controller {:?}", self.controller)
            }
        }
    }
}
