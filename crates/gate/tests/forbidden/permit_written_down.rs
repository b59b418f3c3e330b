//! E0277. A permit kept in a file could be used again after a withdrawal.
fn must_be_serialisable<T: serde::Serialize>() {}
fn main() {
    must_be_serialisable::<gate::Permit>();
}
