//! E0451. A permit made by hand.
fn main() {
    let _ = gate::Permit {
        controller: any(),
        tag: any(),
        agreement: any(),
        instruction: any(),
        credential: any(),
        stream: any(),
        kind: any(),
        purpose: any(),
        counts_for: any(),
        decided_at: any(),
        generation: 0,
        held: None,
    };
}

fn any<T>() -> T {
    loop {}
}
