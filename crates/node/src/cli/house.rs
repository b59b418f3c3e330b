//! What commands on a store beside no node share: which folder, which keys, whose.

use crate::settings::{Joining, StoreArguments};
use anyhow::Context as _;
use model::ControllerId;
use std::path::PathBuf;
use std::sync::Arc;
use store::Store;

/// Where everything is kept.
#[derive(clap::Args, Debug)]
pub(super) struct Folder {
    /// The data folder. On SQLite no node may use it meanwhile; on PostgreSQL name an empty one, for this command
    /// alone.
    #[arg(long, value_name = "DIR", default_value = "postern-data")]
    data: PathBuf,
    #[command(flatten)]
    store: StoreArguments,
    /// The key over all keys. Without it, master.key in the data folder.
    #[arg(long, value_name = "FILE")]
    master_key: Option<PathBuf>,
}

/// Arguments of every command on one controller.
#[derive(clap::Args, Debug)]
pub(super) struct House {
    #[command(flatten)]
    folder: Folder,
    /// Whose people they are: the controller's name or id (ctl_…).
    #[arg(long, value_name = "NAME|ID")]
    controller: String,
}

impl Folder {
    /// Opens the store beside no node. `else_ask`: what does the same while a node serves.
    pub(super) async fn open(&self, name: &str, else_ask: &str) -> anyhow::Result<Arc<Store>> {
        let settings = self.store.settings(self.master_key.clone())?;
        settings
            .open(&self.data, Joining::beside_nodes(name))
            .await
            .with_context(|| format!("this works on a data folder that no node uses; while a node serves, {else_ask}"))
    }

    async fn open_to_move_tags(&self) -> anyhow::Result<Arc<Store>> {
        let settings = self.store.settings(self.master_key.clone())?;
        let opened = settings.open_to_move_tags(&self.data, Joining::beside_nodes("keys")).await;
        opened.context("this works on a data folder that no node uses; stop the node first")
    }
}

impl House {
    /// Opens the store beside no node, and finds the controller. `else_ask`: which path of the API does the same.
    pub(super) async fn open(&self, name: &str, else_ask: &str) -> anyhow::Result<(Arc<Store>, ControllerId)> {
        self.find(self.folder.open(name, &format!("ask {else_ask}")).await?).await
    }

    /// The same, to put the controller's tags under a new key.
    pub(super) async fn open_to_move_tags(&self) -> anyhow::Result<(Arc<Store>, ControllerId)> {
        self.find(self.folder.open_to_move_tags().await?).await
    }

    async fn find(&self, store: Arc<Store>) -> anyhow::Result<(Arc<Store>, ControllerId)> {
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
