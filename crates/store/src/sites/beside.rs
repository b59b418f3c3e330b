//! Orders for sites beside running nodes: joins nothing, takes no folder, and writes one row.
//!
//! Invariants: the database is there and has its tables, or nothing is done; on SQLite the one short write waits for
//! the node's own, and the node's waits for it; nothing else of the store is touched.

use super::{ORDERS_MAX, SAID_FOR, STATES_MAX, SiteOrderRow, SitesView, before, order_of, setting, state_of, writes};
use crate::engine::{Finding, Step};
use crate::error::{Error, Result};
use crate::statement as sql;
use crate::value::{Columns, Value};
use crate::{postgres, sqlite};
use model::Timestamp;
use std::path::PathBuf;

/// Where the store is.
#[derive(Clone, Debug)]
pub enum SitePlace {
    /// In this data folder.
    Sqlite(PathBuf),
    /// In this database.
    Postgres {
        /// Address of the main database.
        url: String,
        /// Certificates of authorities that are trusted instead of the usual ones.
        ca: Option<PathBuf>,
    },
}

/// What is to be done before the look.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SiteWork {
    /// Nothing.
    Look,
    /// An order.
    Set(SiteOrderRow),
    /// The order for this site is taken back.
    Clear(String),
}

/// Does it, and looks. `now`: the caller's clock. True: something was changed.
///
/// # Errors
/// [`Error::NotFound`] when there is no store, [`crate::Unfit`] when a database cannot be reached, and those of the
/// engines; nothing is changed then.
pub async fn sites_beside(place: &SitePlace, work: SiteWork, now: Timestamp) -> Result<(bool, SitesView)> {
    let steps = match &work {
        SiteWork::Look => None,
        SiteWork::Set(order) => Some(setting(order)),
        SiteWork::Clear(site) => Some(vec![Step::new(&sql::SITE_ORDER_CLEAR, vec![site.as_str().into()])]),
    };
    let writes = steps.map(writes);
    let looks = [
        Finding { statement: &sql::SITE_ORDERS, values: vec![ORDERS_MAX.into()] },
        Finding { statement: &sql::SITE_STATES, values: vec![before(now, SAID_FOR).into(), STATES_MAX.into()] },
    ];
    let (touched, [orders, states]) = match place {
        SitePlace::Sqlite(folder) => sqlite::beside(folder, "site_state", writes.as_ref(), &looks)?,
        SitePlace::Postgres { url, ca } => postgres::beside(url, ca.as_deref(), writes.as_ref(), &looks).await?,
    };
    let columns = |rows: Vec<Vec<Value>>, name| rows.into_iter().map(move |row| Columns::of(name, row));
    let orders = columns(orders, sql::SITE_ORDERS.name).map(order_of).collect::<Result<_>>()?;
    let states = columns(states, sql::SITE_STATES.name).map(state_of).collect::<Result<_>>()?;
    Ok((touched > 0, SitesView { orders, states }))
}

/// The answer of an engine: rows touched, and the rows of each look.
pub(crate) type Beside<const LOOKS: usize> = (usize, [Vec<Vec<Value>>; LOOKS]);

/// There is no store of this form.
pub(crate) const fn missing() -> Error {
    Error::NotFound { what: "store with these tables: start a node of this version on it first" }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::postgres::{EngineSettings, PostgresEngine};
    use crate::sites::samples;
    use std::sync::Arc;
    use testkit::ManualClock;

    #[tokio::test]
    async fn an_order_is_given_and_taken_back_while_a_node_has_the_store() {
        let (dir, clock) = (tempfile::tempdir().unwrap(), ManualClock::start());
        let shown: Arc<dyn model::Clock> = Arc::<ManualClock>::clone(&clock);
        let store = crate::Store::open_sqlite(dir.path(), crate::Options::new(shown, dir.path())).await.unwrap();
        let (place, now) = (SitePlace::Sqlite(dir.path().to_owned()), store.now());
        let order = samples::order("google", now);
        let (changed, view) = sites_beside(&place, SiteWork::Set(order.clone()), now).await.unwrap();
        assert!(changed && view.orders == [order.clone()] && view.states.is_empty());
        assert_eq!(store.site_orders().await.unwrap(), view.orders, "the node sees it");
        let state = samples::state("google", now);
        store.tell_sites(std::slice::from_ref(&state)).await.unwrap();
        let less = SiteOrderRow { stopped: false, connections: Some(1), ..order };
        let (_, view) = sites_beside(&place, SiteWork::Set(less.clone()), now).await.unwrap();
        assert_eq!((view.orders, view.states), (vec![less], vec![state]), "one order for a site");
        for expected in [true, false] {
            let cleared = sites_beside(&place, SiteWork::Clear("google".into()), now).await.unwrap();
            assert_eq!((cleared.0, cleared.1.orders.len()), (expected, 0));
        }
        // What a node has not said for a while is not shown.
        let later = now.plus(SAID_FOR).plus(SAID_FOR);
        assert!(sites_beside(&place, SiteWork::Look, later).await.unwrap().1.states.is_empty());
        store.close().await;
    }

    #[tokio::test]
    async fn where_no_store_is_none_is_made() {
        let dir = tempfile::tempdir().unwrap();
        let place = SitePlace::Sqlite(dir.path().to_owned());
        let refused = sites_beside(&place, SiteWork::Clear("google".into()), Timestamp::default()).await;
        assert!(matches!(refused, Err(Error::NotFound { .. })), "{refused:?}");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[tokio::test]
    async fn orders_are_given_in_a_database_and_only_where_nodes_made_its_tables() {
        let database = testkit::postgres::database().await;
        let place = SitePlace::Postgres { url: database.url.clone(), ca: None };
        let now = Timestamp::from_seconds(1_800_000_000);
        let refused = sites_beside(&place, SiteWork::Look, now).await;
        assert!(matches!(refused, Err(Error::NotFound { .. })), "{refused:?}");
        let (url, keys_url) = (database.url.clone(), Some(database.keys_url.clone()));
        let engine = PostgresEngine::open(EngineSettings { url, keys_url, ca: None }).await.unwrap();
        let order = samples::order("google", now);
        let (changed, view) = sites_beside(&place, SiteWork::Set(order.clone()), now).await.unwrap();
        assert!(changed && view.orders == [order] && view.states.is_empty());
        for expected in [true, false] {
            let cleared = sites_beside(&place, SiteWork::Clear("google".into()), now).await.unwrap();
            assert_eq!((cleared.0, cleared.1.orders.len()), (expected, 0));
        }
        crate::engine::Engine::close(&engine).await;
    }
}
