//! Egress, as the operator orders it while this node delivers, and how the node finds its addresses.
//!
//! Invariant: an order that cannot be read stands as it was. Labels of metrics are names of the settings.

use super::super::egress::assigned::{Assigned, Assignment};
use super::super::engine::Engine;
use metrics::gauge;
use store::EgressState;

/// Takes what is assigned over.
pub(super) async fn read(engine: &Engine) -> store::Result<()> {
    let orders = engine.store.egress_assigned().await?;
    let orders: Vec<Assignment> = orders
        .into_iter()
        .map(|order| Assignment { controller: order.controller, class: order.class, pool: order.pool })
        .collect();
    let assigned = Assigned::new(&orders, &engine.settings.egress);
    if engine.with(|picture| picture.reassign(assigned)) {
        for order in orders.iter().filter(|order| engine.settings.egress.pool(&order.pool).is_none()) {
            tracing::warn!(
                controller = order.controller.0,
                pool = order.pool,
                "mail is assigned to an egress pool that this node does not have; it waits"
            );
        }
    }
    Ok(())
}

/// Says how the addresses are found, in the store and in the metrics.
pub(super) async fn tell(engine: &Engine) {
    let egress = &engine.settings.egress;
    if egress.is_plain() {
        return;
    }
    let (now, node) = (engine.store.now(), engine.store.seat());
    let (connections, barred) = engine.with(|picture| {
        let barred: Vec<_> = egress.ids().map(|(id, _)| picture.barred(id, now)).collect();
        (picture.connections_by_address(), barred)
    });
    let found = egress.ids().zip(connections.into_iter().zip(barred));
    let states: Vec<EgressState> = found
        .map(|((id, address), (connections, barred))| EgressState {
            address: address.name.clone(),
            node,
            pool: egress.pool_name(egress.home_of(id)).to_owned(),
            ip: address.address.map(|ip| ip.to_string()),
            ehlo: address.ehlo.clone(),
            weight: address.weight,
            connections,
            barred,
            seen: now,
        })
        .collect();
    for state in &states {
        gauge!("postern_egress_connections", "address" => state.address.clone()).set(f64::from(state.connections));
        let left_out = f64::from(u8::from(state.barred.is_some()));
        gauge!("postern_egress_address_left_out", "address" => state.address.clone()).set(left_out);
    }
    if let Err(error) = engine.store.tell_egress(&states).await {
        engine.store_failed(&error, "how egress addresses stand could not be written down");
    }
}
