//! A domain's transport security as JSON, for the operator.

use mta::delivery::{DomainSecurity, ExchangerSecurity, PolicySecurity};
use serde_json::{Value, json};

/// What a domain says of itself, and what is demanded of connections to it.
pub(super) fn security_told(found: DomainSecurity) -> Value {
    let policy = |policy: PolicySecurity| json!({"mode": policy.mode, "mx": policy.mx, "max_age_s": policy.max_age_s});
    let exchanger = |one: ExchangerSecurity| {
        json!({
            "host": one.host, "preference": one.preference, "addresses": one.addresses, "dnssec": one.is_secure,
            "tlsa": one.tlsa, "demand": one.demand, "policy": one.basis, "may_require_tls": one.may_require_tls,
        })
    };
    json!({
        "domain": found.domain,
        "way": found.way,
        "validates_dns": found.validates,
        "dnssec": found.is_secure,
        "exchangers": found.exchangers.into_iter().map(exchanger).collect::<Vec<_>>(),
        "mta_sts": found.policy.map(policy),
        "mta_sts_is_known": found.policy_is_known,
        "tls_rpt": found.reports,
    })
}
