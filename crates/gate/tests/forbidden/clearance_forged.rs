//! E0451. A clearance made by hand.
fn main() {
    let _ = gate::Clearance {
        controller: any(),
        tag: any(),
        generation: 0,
        deadline: any(),
    };
}

fn any<T>() -> T {
    loop {}
}
