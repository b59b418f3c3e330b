//! Names of sites, and which limit stands before which.

use super::*;
use proptest::prelude::*;

const DEFAULT: Limits =
    Limits { connections: Some(20), messages_per_connection: Some(100), per_minute: None, per_hour: None };

fn exchangers(hosts: &[&str]) -> Arc<[String]> {
    hosts.iter().map(|host| (*host).to_owned()).collect()
}

fn name(book: &Book, hosts: &[&str]) -> String {
    book.name(&exchangers(hosts)).name.to_string()
}

fn rule(text: &str) -> SiteRule {
    text.parse().unwrap()
}

fn order(text: &str, stop: bool, until: Option<Timestamp>) -> SiteOrder {
    let name = site_name(text.split(' ').next().unwrap()).unwrap();
    let limits = text.parse().map_or(Limits::default(), |rule: SiteRule| rule.limits);
    SiteOrder { rule: SiteRule { name, limits }, stop, until }
}

#[test]
fn domains_with_the_same_exchangers_are_one_site_and_a_part_of_them_is_another() {
    let book = Book::default();
    assert_eq!(name(&book, &["b.example", "a.example"]), "a.example+b.example");
    assert_eq!(name(&book, &["a.example", "b.example"]), "a.example+b.example");
    assert_eq!(name(&book, &["a.example"]), "a.example");
    assert_eq!(name(&book, &["google"]), "google.", "a host of one label is nobody's provider");
    let many: Vec<String> = (0..6).map(|number| format!("mx{number}.example")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert_ne!(name(&book, &many), name(&book, &many[..5]));
    assert!(name(&book, &many).starts_with("mx0.example+mx1.example+mx2.example+"));
}

#[test]
fn the_longest_name_that_somebody_gave_goes_before_the_providers() {
    let mut book = Book::new(vec![rule("outlook.com connections=7"), rule("google connections=3")]);
    assert_eq!(name(&book, &["a-example.mail.protection.outlook.com"]), "outlook.com");
    assert_eq!(name(&book, &["aspmx.l.google.com"]), "google");
    let orders = vec![order("mail.protection.outlook.com", true, None)];
    assert!(book.order(orders.clone(), 1, Timestamp::default()));
    assert!(!book.order(orders, 1, Timestamp::default()), "nothing has changed");
    assert_eq!(name(&book, &["a-example.mail.protection.outlook.com"]), "mail.protection.outlook.com");
    assert!(book.bears("mail.protection.outlook.com", DEFAULT).stopped);
}

#[test]
fn an_order_goes_before_the_settings_those_before_the_table_each_limit_by_itself() {
    let at = Timestamp::from_seconds;
    let mut book = Book::new(vec![rule("yahoo per_minute=600 connections=8")]);
    assert_eq!(book.bears("mx.dest.example", DEFAULT).connections, 20);
    let bears = book.bears("yahoo", DEFAULT);
    assert_eq!((bears.connections, bears.messages_per_connection), (8, 20));
    assert_eq!(bears.most, Most { per_minute: Some(600), per_hour: None });
    assert!(book.order(vec![order("yahoo connections=1", false, Some(at(100)))], 1, at(0)));
    let bears = book.bears("yahoo", DEFAULT);
    assert_eq!((bears.connections, bears.most.per_minute, bears.stopped), (1, Some(600), false));
    assert!(book.order(vec![order("yahoo connections=1", false, Some(at(100)))], 1, at(100)), "its time is over");
    assert_eq!(book.bears("yahoo", DEFAULT).connections, 8);
}

#[test]
fn nodes_part_the_limits_of_sites_with_a_name_and_each_has_one_at_least() {
    let mut book = Book::new(vec![rule("mx.dest.example per_minute=100 connections=2")]);
    assert!(book.order(Vec::new(), 3, Timestamp::default()));
    let bears = book.bears("mx.dest.example", DEFAULT);
    assert_eq!((bears.connections, bears.most.per_minute), (1, Some(33)));
    assert_eq!(book.bears("google", DEFAULT).connections, 6);
    assert_eq!(book.bears("a.example", DEFAULT).connections, 20, "its domains lie mostly on one node");
}

#[test]
fn a_host_that_somebody_put_behind_a_providers_is_not_the_providers() {
    let book = Book::default();
    let google = book.name(&exchangers(&["aspmx.l.google.com"]));
    assert!(book.is_own(&google, "alt4.aspmx.l.google.com"));
    assert!(!book.is_own(&google, "mx.evil.example"), "it would slow down all mail to Google");
    let own = book.name(&exchangers(&["mx.dest.example"]));
    assert!(book.is_own(&own, "mx.dest.example") && !book.is_own(&own, "backup.dest.example"));
}

#[test]
fn texts_that_are_no_rule_are_refused_with_the_word_that_is_wrong() {
    for (text, told) in [
        ("goggle connections=1", "goggle"),
        ("google", "no limit"),
        ("google connections=0", "connections=0"),
        ("google conections=1", "conections=1"),
        ("google connections", "connections"),
        ("mx..example connections=1", "mx..example"),
        ("", "\"\""),
    ] {
        let error = text.parse::<SiteRule>().unwrap_err().to_string();
        assert!(error.contains(told), "{text}: {error}");
    }
}

proptest! {
    #[test]
    fn a_rule_is_read_as_it_is_written(
        host in "[a-z]{1,8}\\.[a-z]{2,8}",
        connections in proptest::option::of(1u32..1_000),
        per_minute in proptest::option::of(1u32..100_000),
    ) {
        let limits = Limits { connections, per_minute, per_hour: Some(7), ..Limits::default() };
        let rule = SiteRule { name: host, limits };
        prop_assert_eq!(rule.to_string().parse::<SiteRule>(), Ok(rule));
    }

    #[test]
    fn no_text_makes_it_stumble(text in "[a-z.=0-9 +*]{0,60}") {
        if let Ok(rule) = text.parse::<SiteRule>() {
            prop_assert!(!rule.limits.is_empty());
        }
    }
}
