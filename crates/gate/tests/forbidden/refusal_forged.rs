//! E0451. A refusal that the gate never gave.
fn main() {
    let _ = gate::Refusal { rule: gate::Rule::Suppressed, again: None };
}
