//! The large providers: how their exchangers are called, and what they bear. The page `docs/sites.md` is made of this.
//!
//! A provider who says how much he takes is taken at his word; of one who does not, the row is a careful beginning of
//! our own, and says so: back-off finds the rest. Written against the documents named in `source`.
//! Invariant: a row fits a domain only when all its preferred exchangers are the provider's.

use super::book::Limits;
use super::throttling::ROWS as THROTTLING;
use std::fmt::Write as _;

/// Raised when a row changes.
pub const VERSION: u32 = 1;

/// A row.
#[derive(Debug)]
pub struct Provider {
    /// What operators call the site. No dot is in it.
    pub id: &'static str,
    /// Whose it is.
    pub name: &'static str,
    /// Ends of the names of his exchangers: such a name, or one below it.
    pub exchangers: &'static [&'static str],
    /// What he bears from one platform.
    pub limits: Limits,
    /// Where it is written, or that it is not.
    pub source: &'static str,
}

const fn bears(connections: u32, messages_per_connection: u32) -> Limits {
    Limits {
        connections: Some(connections),
        messages_per_connection: Some(messages_per_connection),
        per_minute: None,
        per_hour: None,
    }
}

/// The table. No exchanger fits two rows.
pub const PROVIDERS: &[Provider] = &[
    Provider {
        id: "google",
        name: "Gmail, Google Workspace",
        exchangers: &["google.com", "googlemail.com"],
        limits: bears(20, 100),
        source: "Google, Email sender guidelines: no figures, raise slowly, watch 421 4.7.28; the figures are ours",
    },
    Provider {
        id: "outlook",
        name: "Outlook.com, Hotmail, Live, MSN",
        exchangers: &["olc.protection.outlook.com"],
        limits: bears(10, 100),
        source: "Outlook.com postmaster, policies: at most 500 connections; 451 4.7.652 comes far below; ours",
    },
    Provider {
        id: "microsoft-365",
        name: "Exchange Online",
        exchangers: &["mail.protection.outlook.com", "mx.microsoft"],
        limits: bears(20, 100),
        source: "Microsoft Learn, non-delivery reports in Exchange Online: no figures, 451 4.7.5xx and 4.7.652; ours",
    },
    Provider {
        id: "yahoo",
        name: "Yahoo, AOL",
        exchangers: &["yahoodns.net"],
        limits: bears(10, 20),
        source: "Yahoo Help SLN3433: 20 messages a connection; connections side by side `with respect`, which is ours",
    },
    Provider {
        id: "icloud",
        name: "iCloud Mail",
        exchangers: &["mail.icloud.com"],
        limits: bears(10, 50),
        source: "Apple Support 102322, Postmaster information for iCloud Mail: no figures; ours",
    },
    Provider {
        id: "comcast",
        name: "Comcast, Xfinity",
        exchangers: &["comcast.net"],
        limits: bears(25, 100),
        source: "postmaster.comcast.net, How to avoid blocks: 25 connections an address; messages over one are ours",
    },
    Provider {
        id: "orange",
        name: "Orange, Wanadoo",
        exchangers: &["orange.fr", "wanadoo.fr"],
        limits: bears(3, 100),
        source: "421 OFR004_104 of smtp-in.orange.fr: senders are told three connections an address; the rest is ours",
    },
    Provider {
        id: "gmx",
        name: "GMX, WEB.DE",
        exchangers: &["gmx.net", "web.de"],
        limits: bears(10, 50),
        source: "postmaster.gmx.net, error messages: connections and rates are limited, without figures; ours",
    },
];

/// Is this name an end of that host's?
pub(crate) fn is_of(host: &str, name: &str) -> bool {
    host.strip_suffix(name).is_some_and(|before| before.is_empty() || before.ends_with('.'))
}

/// The row of the provider who runs all of these exchangers.
pub(crate) fn provider_of<S: AsRef<str>>(hosts: &[S]) -> Option<&'static Provider> {
    let runs = |provider: &&Provider| {
        let is_his = |host: &S| provider.exchangers.iter().any(|name| is_of(host.as_ref(), name));
        !hosts.is_empty() && hosts.iter().all(is_his)
    };
    PROVIDERS.iter().find(runs)
}

/// The page.
#[must_use]
pub fn table_markdown() -> String {
    let mut page = format!(
        "# What receivers bear\n\nGenerated from `mta::delivery` by `POSTERN_BLESS=1 cargo test -p mta sites_page`; do \
         not edit. Version {VERSION}.\n\n{ABOUT}\n"
    );
    page.push_str("| site | whose | exchangers | connections | messages a connection | source |\n");
    page.push_str("|---|---|---|---|---|---|\n");
    let number = |number: Option<u32>| number.map_or_else(|| "–".to_owned(), |number| number.to_string());
    for row in PROVIDERS {
        // Writing into a string cannot fail.
        let _ = writeln!(
            page,
            "| `{}` | {} | {} | {} | {} | {} |",
            row.id,
            row.name,
            row.exchangers.join(", "),
            number(row.limits.connections),
            number(row.limits.messages_per_connection),
            row.source
        );
    }
    page.push_str(THROTTLING_ABOUT);
    page.push_str("| id | SMTP code | enhanced code | words | what follows | source |\n|---|---|---|---|---|---|\n");
    for row in THROTTLING {
        let codes: Vec<String> = row.codes.iter().map(u16::to_string).collect();
        let enhanced: Vec<String> =
            row.enhanced.iter().map(|(subject, detail)| format!("4.{subject}.{detail}")).collect();
        let words: Vec<String> = row.words.iter().map(|word| format!("`{word}`")).collect();
        let _ = writeln!(
            page,
            "| `{}` | {} | {} | {} | {} | {} |",
            row.id,
            codes.join(" "),
            enhanced.join(" "),
            words.join(", "),
            row.follows.as_str(),
            row.source
        );
    }
    page
}

const ABOUT: &str = "\
A *site* is who takes mail for a domain: a provider of this table when all preferred exchangers of the domain (its MX
records of the lowest preference) have names of his, else the set of these exchangers itself. All domains of a site
share its connections and its rate. What the settings (`delivery.sites`) or the operator (`postern sites`) say of a site
stands before this table; of a site that nobody names, `delivery.site_connections` counts.
";

const THROTTLING_ABOUT: &str = "
## Replies that ask us to go slower

Looked at for every temporary reply, in this order; the first that fits counts. *Slower*: half the connections and half
the rate; from one connection on, the site is left alone for a while as well. *Away*: slower, and left alone at once:
for 5 s, 15 s, 1, 5, 15, 30 minutes as it is repeated. Each minute of success gives a tenth back. Only what an exchanger
of the site itself says counts against the site; what another exchanger of a domain says counts against the domain.

";

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;
    use std::path::Path;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "how a test is told to write the page")]
    fn sites_page_is_current() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/sites.md");
        if std::env::var_os("POSTERN_BLESS").is_some() {
            std::fs::write(&path, table_markdown()).unwrap();
        }
        let page = std::fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(page, table_markdown(), "docs/sites.md is stale: POSTERN_BLESS=1 cargo test -p mta sites_page");
    }

    #[test]
    fn every_row_has_a_name_of_its_own_a_source_and_exchangers_that_fit_no_other() {
        let mut seen = HashSet::new();
        for row in PROVIDERS {
            assert!(seen.insert(row.id) && !row.id.contains('.') && !row.source.is_empty(), "{}", row.id);
            for name in row.exchangers {
                let fits = PROVIDERS.iter().filter(|other| other.exchangers.iter().any(|end| is_of(name, end))).count();
                assert_eq!(fits, 1, "{name}");
            }
        }
    }

    #[test]
    fn a_domain_is_a_providers_when_all_its_exchangers_are_and_never_by_a_name_that_only_looks_like_his() {
        for (hosts, expected) in [
            (&["aspmx.l.google.com", "alt1.aspmx.l.google.com"][..], Some("google")),
            (&["dest-example.mail.protection.outlook.com"], Some("microsoft-365")),
            (&["hotmail-com.olc.protection.outlook.com"], Some("outlook")),
            (&["mta5.am0.yahoodns.net"], Some("yahoo")),
            (&["aspmx.l.google.com", "mx.dest.example"], None),
            (&["notgoogle.com"], None),
            (&["google.com.dest.example"], None),
            (&[], None),
        ] {
            assert_eq!(provider_of(hosts).map(|row| row.id), expected, "{hosts:?}");
        }
    }
}
