//! E0599. One permit for two messages.
fn twice(permit: gate::Permit) -> (gate::Permit, gate::Permit) {
    (permit.clone(), permit)
}
fn main() {
    let _ = twice;
}
