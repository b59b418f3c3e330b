//! What the settings may say, and who goes by which pool.

use super::assigned::{Assigned, Assignment, NOWHERE};
use super::*;
use model::ControllerId;

fn read(addresses: &[&str], pools: &[&str], marketing: &str) -> Result<Egress, NoEgress> {
    let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    let (addresses, pools) = (owned(addresses), owned(pools));
    let ehlo = "node.sample.example";
    Egress::read(EgressTexts { addresses: &addresses, pools: &pools, transactional: DEFAULT, marketing, ehlo })
}

#[test]
fn pools_have_addresses_of_both_families_and_the_default_pool_is_always_there() {
    let plain = read(&[], &[], DEFAULT).unwrap();
    assert_eq!(plain, Egress::plain("node.sample.example"));
    assert!(plain.is_plain());
    let texts = ["a 203.0.113.5 ehlo=MX1.example.net weight=3", "b 2001:db8::5"];
    let egress = read(&texts, &["news a b"], "news").unwrap();
    assert!(!egress.is_plain());
    let news = egress.pool_for(Class::Bulk);
    assert_eq!((egress.pool_name(news), egress.pool_name(egress.pool_for(Class::Prompt))), ("news", DEFAULT));
    let told: Vec<_> = egress.addresses_of(news).iter().filter_map(|id| egress.address(*id)).collect();
    assert_eq!((told[0].ehlo.as_str(), told[0].weight), ("mx1.example.net", 3));
    assert_eq!((told[1].ehlo.as_str(), told[1].weight), ("node.sample.example", 1));
    let (four, six): (IpAddr, IpAddr) = ([192, 0, 2, 1].into(), "2001:db8::1".parse().unwrap());
    assert!(told[0].reaches(four) && !told[0].reaches(six) && told[1].reaches(six) && !told[1].reaches(four));
    let default = egress.address(egress.addresses_of(PoolId(0))[0]).unwrap();
    assert!(default.address.is_none() && default.reaches(four) && default.reaches(six));
    let named = read(&["a 203.0.113.5"], &["default a"], DEFAULT).unwrap();
    assert_eq!((named.pool_count(), named.addresses().len()), (1, 1));
}

#[test]
fn settings_that_would_mix_reputations_or_say_nothing_are_refused() {
    let one = ["a 203.0.113.5"];
    for (addresses, pools, marketing, says) in [
        (&["a"][..], &["default a"][..], DEFAULT, "\"a\" is not NAME ADDRESS"),
        (&["a 203.0.113.5 weight=0"], &["default a"], DEFAULT, "is not NAME ADDRESS"),
        (&["a 203.0.113.5 ehlo=two_words."], &["default a b"], DEFAULT, "is not NAME ADDRESS"),
        (&["a 0.0.0.0"], &["default a"], DEFAULT, "is not NAME ADDRESS"),
        (&["a 203.0.113.5", "b 203.0.113.5"], &["default a b"], DEFAULT, "b is there twice"),
        (&one, &["default"], DEFAULT, "is not NAME followed"),
        (&one, &["default a", "default a"], DEFAULT, "default is there twice"),
        (&one, &["default a", "news a"], DEFAULT, "a is in two pools"),
        (&one, &["default b"], DEFAULT, "the pool default names b"),
        (&one, &[], DEFAULT, "a is in no pool"),
        (&one, &["default a"], "news", "there is no pool news"),
    ] {
        let said = read(addresses, pools, marketing).unwrap_err().to_string();
        assert!(said.contains(says), "{said}");
    }
}

#[test]
fn an_order_for_a_class_stands_before_one_for_all_and_what_is_not_here_goes_nowhere() {
    let egress = read(&["a 203.0.113.5"], &["own a"], DEFAULT).unwrap();
    let own = egress.pool("own").unwrap();
    let order = |controller, class, pool: &str| Assignment {
        controller: ControllerId(controller),
        class,
        pool: pool.to_owned(),
    };
    let orders = [order(1, Some(Class::Bulk), DEFAULT), order(1, None, "own"), order(2, None, "elsewhere")];
    let assigned = Assigned::new(&orders, &egress);
    let of = |controller, class| assigned.pool_of(ControllerId(controller), class);
    assert_eq!((of(1, Class::Prompt), of(1, Class::Bulk)), (Some(own), Some(PoolId(0))));
    assert_eq!((of(2, Class::Prompt), of(3, Class::Prompt)), (Some(NOWHERE), None));
    assert!(assigned.leads_nowhere() && !Assigned::new(&orders[..2], &egress).leads_nowhere());
}
