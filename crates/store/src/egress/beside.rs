//! Orders for egress beside running nodes: joins nothing, takes no folder, and writes one row.
//!
//! Invariants: the database is there and has its tables, or nothing is done; nothing else of the store is touched.

use super::warm::{DAY_SECONDS, DAYS_MAX, PLANS_MAX, day_of, plan_of};
use super::{ASSIGNED_MAX, EgressView, STATES_MAX, assignment_of, before, number_of, state_of, writes};
use crate::engine::{Finding, Step};
use crate::error::Result;
use crate::sites::SitePlace;
use crate::statement as sql;
use crate::value::{Columns, Value};
use crate::{postgres, sqlite};
use model::Timestamp;
use model::stream::Class;

/// What is to be done before the look.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum EgressWork {
    /// Nothing.
    Look,
    /// A controller's mail goes by a pool from now on.
    Assign {
        /// His name.
        controller: String,
        /// Of which class; nothing: of both.
        class: Option<Class>,
        /// The pool's name.
        pool: String,
        /// Why.
        why: String,
        /// Who orders it.
        who: String,
    },
    /// It goes as nobody had ordered anything.
    Unassign {
        /// His name.
        controller: String,
        /// Of which class; nothing: the order for both.
        class: Option<Class>,
    },
    /// An address is warmed up from now on.
    Warm {
        /// Its name in the settings.
        address: String,
        /// Messages of the first day, to a provider of full weight.
        base: u32,
        /// Why.
        why: String,
        /// Who orders it.
        who: String,
    },
    /// It is warm.
    Warmed {
        /// Its name.
        address: String,
    },
    /// How often its cap has grown at a provider is set, from the present day on.
    Step {
        /// Its name.
        address: String,
        /// A provider's id, or `others`.
        provider: String,
        /// So often.
        step: u32,
        /// The cap that comes of it.
        cap: u32,
    },
}

/// Does it, and looks. `now`: the caller's clock. True: something was changed; an order for a controller who is not
/// there, or one that does not stand, changes nothing.
///
/// # Errors
/// As [`crate::sites_beside`].
pub async fn egress_beside(place: &SitePlace, work: EgressWork, now: Timestamp) -> Result<(bool, EgressView)> {
    let writes = ordering(&work, now).map(writes);
    let looks = [
        Finding { statement: &sql::EGRESS_ASSIGNED, values: vec![ASSIGNED_MAX.into()] },
        Finding { statement: &sql::EGRESS_STATES, values: vec![before(now).into(), STATES_MAX.into()] },
        Finding { statement: &sql::WARM_PLANS, values: vec![PLANS_MAX.into()] },
        Finding { statement: &sql::WARM_DAYS, values: vec![DAYS_MAX.into()] },
    ];
    let (touched, [assigned, states, plans, days]) = match place {
        SitePlace::Sqlite(folder) => sqlite::beside(folder, "warm_day", writes.as_ref(), &looks)?,
        SitePlace::Postgres { url, ca } => postgres::beside(url, ca.as_deref(), writes.as_ref(), &looks).await?,
    };
    let columns = |rows: Vec<Vec<Value>>, name| rows.into_iter().map(move |row| Columns::of(name, row));
    let assigned = columns(assigned, sql::EGRESS_ASSIGNED.name).map(assignment_of).collect::<Result<_>>()?;
    let states = columns(states, sql::EGRESS_STATES.name).map(state_of).collect::<Result<_>>()?;
    let plans = columns(plans, sql::WARM_PLANS.name).map(plan_of).collect::<Result<_>>()?;
    let days = columns(days, sql::WARM_DAYS.name).map(day_of).collect::<Result<_>>()?;
    Ok((touched > 0, EgressView { assigned, states, plans, days }))
}

/// What an order writes.
pub(super) fn ordering(work: &EgressWork, now: Timestamp) -> Option<Vec<Step>> {
    match work {
        EgressWork::Look => None,
        EgressWork::Assign { controller, class, pool, why, who } => {
            let values = vec![
                controller.as_str().into(),
                number_of(*class).into(),
                pool.as_str().into(),
                why.as_str().into(),
                who.as_str().into(),
                now.into(),
            ];
            Some(vec![Step::new(&sql::EGRESS_ASSIGN, values)])
        }
        EgressWork::Unassign { controller, class } => {
            let values = vec![controller.as_str().into(), number_of(*class).into()];
            Some(vec![Step::new(&sql::EGRESS_UNASSIGN, values)])
        }
        EgressWork::Warm { address, base, why, who } => {
            let values = vec![
                address.as_str().into(),
                i64::from(*base).into(),
                why.as_str().into(),
                who.as_str().into(),
                now.into(),
            ];
            Some(vec![Step::new(&sql::WARM_PLAN_SET, values)])
        }
        EgressWork::Warmed { address } => Some(vec![
            Step::new(&sql::WARM_DAYS_END, vec![address.as_str().into()]),
            Step::new(&sql::WARM_PLAN_END, vec![address.as_str().into()]),
        ]),
        EgressWork::Step { address, provider, step, cap } => {
            let (step, cap, today) = (i64::from(*step), i64::from(*cap), now.seconds().div_euclid(DAY_SECONDS));
            let values = vec![address.as_str().into(), provider.as_str().into(), step.into(), cap.into(), today.into()];
            Some(vec![Step::new(&sql::WARM_STEP_SET, values)])
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::egress::samples;
    use crate::error::Error;
    use crate::postgres::{EngineSettings, PostgresEngine};
    use std::sync::Arc;
    use testkit::ManualClock;

    fn assign(controller: &str, class: Option<Class>, pool: &str) -> EgressWork {
        let (controller, pool) = (controller.to_owned(), pool.to_owned());
        EgressWork::Assign { controller, class, pool, why: "own address".to_owned(), who: "anna".to_owned() }
    }

    #[tokio::test]
    async fn mail_is_assigned_and_unassigned_while_a_node_has_the_store() {
        let (dir, clock) = (tempfile::tempdir().unwrap(), ManualClock::start());
        let shown: Arc<dyn model::Clock> = Arc::<ManualClock>::clone(&clock);
        let store = crate::Store::open_sqlite(dir.path(), crate::Options::new(shown, dir.path())).await.unwrap();
        let shop = store.create_controller("Shop").await.unwrap();
        let (place, now) = (SitePlace::Sqlite(dir.path().to_owned()), store.now());
        let (changed, view) = egress_beside(&place, assign("Nobody", None, "bulk"), now).await.unwrap();
        assert!(!changed && view.assigned.is_empty(), "there is no such controller");
        assert!(egress_beside(&place, assign("Shop", None, "own"), now).await.unwrap().0);
        assert!(egress_beside(&place, assign("Shop", Some(Class::Bulk), "own"), now).await.unwrap().0);
        let (changed, view) = egress_beside(&place, assign("Shop", Some(Class::Bulk), "bulk"), now).await.unwrap();
        let told: Vec<_> = view.assigned.iter().map(|one| (one.controller, one.class, one.pool.as_str())).collect();
        assert_eq!((changed, told), (true, vec![(shop, None, "own"), (shop, Some(Class::Bulk), "bulk")]));
        assert_eq!(store.egress_assigned().await.unwrap(), view.assigned, "the node sees it");
        let state = samples::state("mx1", now);
        store.tell_egress(std::slice::from_ref(&state)).await.unwrap();
        for expected in [true, false] {
            let work = EgressWork::Unassign { controller: "Shop".to_owned(), class: None };
            let (changed, view) = egress_beside(&place, work, now).await.unwrap();
            assert_eq!((changed, view.assigned.len()), (expected, 1));
            assert_eq!(view.states, std::slice::from_ref(&state));
        }
        // What a node has not said for a while is not shown.
        let later = now.plus(super::super::SAID_FOR).plus(super::super::SAID_FOR);
        assert!(egress_beside(&place, EgressWork::Look, later).await.unwrap().1.states.is_empty());
        store.close().await;
    }

    #[tokio::test]
    async fn mail_is_assigned_in_a_database_and_only_where_nodes_made_its_tables() {
        let database = testkit::postgres::database().await;
        let place = SitePlace::Postgres { url: database.url.clone(), ca: None };
        let now = Timestamp::from_seconds(1_800_000_000);
        let refused = egress_beside(&place, EgressWork::Look, now).await;
        assert!(matches!(refused, Err(Error::NotFound { .. })), "{refused:?}");
        let (url, keys_url) = (database.url.clone(), Some(database.keys_url.clone()));
        let engine = PostgresEngine::open(EngineSettings { url, keys_url, ca: None }).await.unwrap();
        let (changed, view) = egress_beside(&place, assign("Nobody", None, "bulk"), now).await.unwrap();
        assert!(!changed && view == EgressView::default());
        crate::engine::Engine::close(&engine).await;
    }
}
