//! E0277. No permit out of nothing.
fn main() {
    let _: gate::Permit = Default::default();
}
