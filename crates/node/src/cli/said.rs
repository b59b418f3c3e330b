//! What a command's result is written with: standard output.

/// One result, with an end of line.
#[expect(clippy::print_stdout, reason = "this is what the command is for")]
pub(super) fn say(text: &str) {
    println!("{text}");
}
