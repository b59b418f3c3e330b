//! What the node has to show to the world, from itself where it serves, else from its store.

use crate::cli::ask::{Node, refusal};
use crate::settings::{Joining, Settings, StorePlace, StoreSettings, homing};
use anyhow::Context as _;
use serde::Deserialize;
use store::{BodyPlacement, CreateKey, Roles};
use web::listener::operator::OPERATOR_SOCKET;

/// As `web::operator` tells it.
#[derive(Deserialize, Debug)]
pub(super) struct Standing {
    /// The store's moment, in microseconds since 1970; on PostgreSQL the database's.
    pub(super) now: i64,
    pub(super) domains: Vec<Domain>,
    pub(super) hosts: Vec<Host>,
    /// How the room on the disks went, where a node watches it.
    pub(super) room: Option<Vec<Room>>,
}

/// A verified domain.
#[derive(Deserialize, Clone, Debug)]
pub(super) struct Domain {
    pub(super) domain: String,
    pub(super) return_path: Option<String>,
    pub(super) keys: Vec<Key>,
}

/// The record of a key that signs.
#[derive(Deserialize, Clone, Debug)]
pub(super) struct Key {
    pub(super) name: String,
    pub(super) value: String,
    /// The `d=` of its signatures.
    pub(super) domain: String,
}

/// A controller's own host name.
#[derive(Deserialize, Debug)]
pub(super) struct Host {
    pub(super) name: String,
    /// Until when its certificate holds, in seconds since 1970.
    pub(super) ends: Option<i64>,
}

/// The room at one place.
#[derive(Deserialize, Debug)]
pub(super) struct Room {
    pub(super) place: String,
    /// Seconds between the first look and the last.
    pub(super) over_s: u64,
    pub(super) free_then: u64,
    pub(super) free_now: u64,
}

impl Standing {
    /// Asks the node that serves on the folder; where none does, looks into the store.
    pub(super) async fn of(settings: &Settings) -> anyhow::Result<Self> {
        if settings.data.join(OPERATOR_SOCKET).exists() {
            let node = Node::operator(&settings.data);
            // A node that ended badly leaves its socket.
            if let Ok((status, told)) = node.ask("GET /standing", "").await {
                if status != 200 {
                    return Err(refusal(&node.name(), status, &told));
                }
                return serde_json::from_value(told).context("the node is of another version than this command");
            }
        }
        if matches!(settings.store.place, StorePlace::Sqlite) && !settings.data.join("main.db").exists() {
            let now = model::Clock::now(&crate::clock::SystemClock).micros();
            return Ok(Self { now, domains: Vec::new(), hosts: Vec::new(), room: None });
        }
        let joining = Joining {
            name: "check".to_owned(),
            roles: Roles::NONE,
            homing: homing(&settings.delivery),
            region: settings.region.clone(),
        };
        let opening =
            StoreSettings { bodies: BodyPlacement::Rows, create_key: CreateKey::Never, ..settings.store.clone() };
        let store =
            opening.open(&settings.data, joining).await.context("neither a node nor its store tells anything")?;
        let told = web::operator::standing(&store);
        store.close().await;
        Ok(serde_json::from_value(told)?)
    }
}
