//! E0277. As with permits.
fn must_be_serialisable<T: serde::Serialize>() {}
fn main() {
    must_be_serialisable::<gate::Clearance>();
}
