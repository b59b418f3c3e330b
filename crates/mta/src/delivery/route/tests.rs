//! RFC 5321 §5.1 and RFC 7505 as tables; the queries themselves are tested against a DNS server in `it`.

use super::lookup::plain_name;
use super::*;
use std::collections::HashSet;

fn mx(records: &[(u16, &str)]) -> Exchangers {
    let records = records.iter().map(|(preference, host)| (*preference, plain_name(host))).collect();
    Exchangers::Some { records, is_secure: false }
}

fn hosts(order: Order) -> Vec<String> {
    match order {
        Order::Hosts { hosts, .. } => hosts,
        other => panic!("{other:?}"),
    }
}

#[test]
fn rfc5321_5_1_lowest_preference_first_and_equals_in_any_order() {
    let records = [(20, "c.example."), (10, "a.example."), (10, "b.example."), (30, "D.example.")];
    let mut firsts = HashSet::new();
    for seed in 0..64 {
        let hosts = hosts(order(mx(&records), "dest.example", seed));
        assert_eq!(hosts[2..], ["c.example", "d.example"]);
        firsts.insert(hosts[0].clone());
    }
    assert_eq!(firsts, HashSet::from(["a.example".to_owned(), "b.example".to_owned()]));
}

#[test]
fn who_takes_the_mail_are_the_exchangers_of_the_lowest_preference_in_whatever_order() {
    let records = [(10, "b.example."), (20, "evil.example."), (10, "a.example."), (10, "b.example.")];
    for seed in 0..16 {
        let Order::Hosts { best, .. } = order(mx(&records), "dest.example", seed) else { panic!("no hosts") };
        assert_eq!(best, ["a.example", "b.example"]);
    }
}

#[test]
fn rfc7505_3_null_mx_is_final_and_only_when_alone() {
    assert_eq!(order(mx(&[(0, ".")]), "d", 1), Order::Never(Never::NullMx));
    assert_eq!(hosts(order(mx(&[(0, "."), (10, "a.example.")]), "d", 1)), ["a.example"]);
    assert_eq!(Never::NullMx.enhanced().to_string(), "5.1.10");
}

#[test]
fn rfc5321_5_1_implicit_mx_only_without_records_and_faults_are_temporary() {
    assert_eq!(order(Exchangers::None, "d", 1), Order::Implicit);
    assert_eq!(order(mx(&[]), "d", 1), Order::Implicit, "an answer of CNAMEs alone");
    assert_eq!(order(Exchangers::NoDomain, "d", 1), Order::Never(Never::NoDomain));
    assert!(matches!(order(Exchangers::Fault, "d", 1), Order::Later(_)));
}

#[test]
fn idn_a_label_exchangers_are_kept_and_named_once() {
    let records = [(10, "xn--mx-fka.example."), (20, "xn--mx-fka.example.")];
    assert_eq!(hosts(order(mx(&records), "d", 1)), ["xn--mx-fka.example"]);
}

#[test]
fn names_that_no_host_can_have_are_passed_over_and_are_no_reason_for_a_bounce() {
    let long = format!("{}.example", "a".repeat(64));
    let odd = [(5, "a\\032b.example."), (6, "a..example"), (7, "*.example."), (8, long.as_str())];
    assert!(matches!(order(mx(&odd), "d", 1), Order::Later(_)));
    let beside: Vec<(u16, &str)> = odd.into_iter().chain([(10, "_mx.a.example.")]).collect();
    assert_eq!(hosts(order(mx(&beside), "d", 1)), ["_mx.a.example"]);
}

#[test]
fn what_dns_says_for_good_burns_and_a_missing_record_does_not() {
    assert!(Never::NullMx.burns_recipient() && Never::NoDomain.burns_recipient());
    assert!(!Never::NoHost.burns_recipient() && !Never::Private.burns_recipient());
}

#[tokio::test]
async fn mail_for_a_smarthost_waits_where_there_is_none() {
    let mut settings = Settings::new("node.example");
    // Nobody is asked: there is nothing at this address, and that would be another reason to wait.
    settings.resolver = Some(SocketAddr::from(([127, 0, 0, 1], 1)));
    let router = Router::new(&settings, None).unwrap();
    let Route::Later(why) = router.route(store::SMARTHOST_SITE, 0).await else { panic!("it does not wait") };
    assert!(why.contains("smarthost"), "{why}");
}
