//! What is said about faults: names of ours, never content of the client's.

use super::*;

#[test]
fn paths_keep_our_names_and_drop_the_clients() {
    assert_eq!(path_of("messages[3].to[1].email"), "messages[3].to[1].email");
    assert_eq!(path_of("headers.X-Secret"), "headers");
    assert_eq!(path_of("metadata.ada@dest.example"), "metadata");
    assert_eq!(path_of("messages[0].metadata.a.b"), "messages[0].metadata");
    assert_eq!(path_of("."), "");
    assert_eq!(path_of("to[0].?"), "to[0]");
}

#[test]
fn names_are_cut_and_cleared() {
    assert_eq!(printable("X-Order_1.a"), "X-Order_1.a");
    assert_eq!(printable("a@b\u{1b}[2J"), "a?b??2J");
    assert_eq!(printable(&"n".repeat(1_000)).len(), NAME_CHARACTERS_MAX);
}

#[test]
fn what_follows_the_value_is_an_error() {
    assert!(parse::<u8>(b"1 2").is_err());
    assert!(parse::<u8>(b" 1 ").is_ok());
}
