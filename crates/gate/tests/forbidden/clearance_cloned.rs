//! E0599. One clearance for two transactions.
fn twice(clearance: gate::Clearance) -> (gate::Clearance, gate::Clearance) {
    (clearance.clone(), clearance)
}
fn main() {
    let _ = twice;
}
