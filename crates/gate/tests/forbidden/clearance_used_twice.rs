//! E0382. A clearance is used up.
fn twice(clearance: gate::Clearance) -> (u64, u64) {
    (clearance.use_up(), clearance.use_up())
}
fn main() {
    let _ = twice;
}
