//! The table: every key that `postern serve` takes, in the order of the reference.

use super::key::{Key, Kind};

/// The name of a key.
pub(crate) type Name = &'static str;

/// As many as there are.
const ANY: Kind = Kind::Number { least: 1, most: 1_000_000 };
/// One address that mail leaves from.
const EGRESS_ADDRESS: &str = "NAME ADDRESS ehlo=HOST weight=N";
/// One pool of them.
const EGRESS_POOL: &str = "NAME ADDRESS-NAME…";
/// One site and what it bears.
const SITE_RULE: &str = "NAME connections=N messages_per_connection=N per_minute=N per_hour=N";
const PORT: Kind = Kind::Number { least: 1, most: 65_535 };

macro_rules! keys {
    ($($constant:ident = $key:expr;)*) => {
        $(pub(crate) const $constant: Key = $key;)*
        /// All of them.
        pub(crate) const KEYS: &[Key] = &[$($constant),*];
    };
}

/// Sections in the order of the reference, each with what it is about.
pub(crate) const SECTIONS: &[(&str, &str)] = &[
    ("node", "What the node is, and where its own folder lies."),
    ("listen", "Where it listens. A door without an address is closed, but for those that `base_port` opens."),
    ("tls", "Its certificate."),
    ("public", "How others reach it."),
    ("store", "Where everything is kept."),
    ("delivery", "How mail leaves."),
    ("egress", "The addresses that mail leaves from: docs/egress.md."),
    ("limits", "Bounds on what comes in."),
    ("acme", "Certificates for controllers' own host names."),
    ("check", "What `postern check` looks at beyond what it knows by itself."),
    ("log", "What is logged, on standard error."),
];

keys! {
    DATA = Key::of("node.data", "data", Kind::Folder).or("postern-data").says(
        "The node's own folder; made when it is not there. No two nodes may have the same.",
        "\"/var/lib/postern\"",
    );
    NAME = Key::of("node.name", "name", Kind::Text).says(
        "What an operator calls the node. Without it, the name of the machine.",
        "\"one\"",
    );
    ROLES = Key::of("node.roles", "roles", Kind::Many("smtp, api, deliver, console"))
        .or("smtp,api,deliver,console")
        .says(
            "What the node does. How it is (/readyz) every HTTP door says.",
            "[\"smtp\", \"api\", \"deliver\"]",
        );
    EHLO = Key::of("node.ehlo", "ehlo", Kind::Text).says(
        "The node's name in greetings, which the address that mail leaves from should have in DNS. Without it, the \
         name of the machine.",
        "\"mail.example.org\"",
    );
    REGION = Key::of("node.region", "region", Kind::Text).says(
        "Where the node stands, and with it what it keeps: a country in two capital letters, or EEA. Streams whose \
         terms name regions are served only where the node lies in one of them; the same on every node of a store.",
        "\"EEA\"",
    );
    OPERATOR = Key::of("node.operator", "operator", Kind::File).says(
        "Who runs this platform, as JSON: name, address, contact, and signatory with name and capacity. That is the \
         processor in every agreement. Kept in the store: it is needed once, and again when it changes.",
        "\"/etc/postern/operator.json\"",
    );
    OPERATOR_MAIL = Key::of("node.operator_mail", "operator-mail", Kind::Folder).says(
        "Mail to postmaster and abuse is kept there, as a Maildir. Without it, operator-mail in node.data.",
        "\"/var/lib/postern/operator-mail\"",
    );
    BASE_PORT = Key::of("listen.base_port", "base-port", Kind::Number { least: 1, most: 65_528 }).says(
        "First of eight ports on 127.0.0.1, for doors without an address of their own: HTTP at N, submission at N+1, \
         submission with TLS at N+2, inbound mail at N+4, HTTPS at N+7. 8025 when no door has an address; without it \
         only doors that have one are opened.",
        "8025",
    );
    SUBMISSION = Key::of("listen.submission", "submission", Kind::Address).says(
        "Submission with STARTTLS.",
        "\"0.0.0.0:587\"",
    );
    SUBMISSION_TLS = Key::of("listen.submission_tls", "submission-tls", Kind::Address).says(
        "Submission with TLS from the first octet.",
        "\"0.0.0.0:465\"",
    );
    TRUSTED = Key::of("listen.trusted", "trusted", Kind::Many("ADDRESS:PORT=USERNAME+NETWORK…")).says(
        "Submission without login, from these networks, with this credential.",
        "[\"127.0.0.1:2525=shop+127.0.0.0/8+::1\"]",
    );
    INBOUND = Key::of("listen.inbound", "inbound", Kind::Address).says(
        "Inbound mail, port 25: what comes back about mail that left (return paths lead here, see `postern \
         return-path`), opt-outs by mail, postmaster and abuse.",
        "\"0.0.0.0:25\"",
    );
    PROXY_FROM = Key::of("listen.proxy_from", "proxy-from", Kind::Many("NETWORK")).says(
        "Proxies before the SMTP doors: who connects from these networks begins with a header of the PROXY protocol \
         (1 or 2), and counts as the client that it names, for limits, throttles and listen.trusted. Name the \
         proxies alone. From anywhere else such a header is refused.",
        "[\"10.0.0.5\", \"2001:db8:5::/64\"]",
    );
    HTTP = Key::of("listen.http", "http", Kind::Address).says(
        "HTTP. Without the role api only /healthz, /readyz and /metrics.",
        "\"127.0.0.1:8025\"",
    );
    HTTPS = Key::of("listen.https", "https", Kind::Address).says("HTTPS.", "\"0.0.0.0:443\"");
    METRICS = Key::of("listen.metrics", "metrics", Kind::Address).says(
        "Figures for Prometheus at /metrics, with /healthz and /readyz, over HTTP, for whoever can reach this address: \
         choose one that only your own machines reach. Without it, the door of listen.http shows /metrics to this \
         machine alone; with it, to nobody.",
        "\"127.0.0.1:9025\"",
    );
    CERTIFICATE = Key::of("tls.certificate", "certificate", Kind::File).reloadable().says(
        "Certificate with its chain, as PEM; goes with tls.key. Without it the node makes an authority of its own. The \
         files are read again with every SIGHUP.",
        "\"/etc/postern/tls/fullchain.pem\"",
    );
    CERTIFICATE_KEY = Key::of("tls.key", "key", Kind::File).reloadable().says(
        "The certificate's key, as PEM.",
        "\"/etc/postern/tls/privkey.pem\"",
    );
    PUBLIC_URL = Key::of("public.url", "public-url", Kind::Url).says(
        "How clients reach the API: links in answers begin with it.",
        "\"https://api.example.org\"",
    );
    PAGES_URL = Key::of("public.pages_url", "pages-url", Kind::Text).says(
        "Where recipients reach the public pages, by https: the links in marketing lead there. The same on every node \
         of a store. Without it, public.url where that is https; without both, marketing is refused.",
        "\"https://mail.example.org\"",
    );
    STORE = Key::of("store.url", "store", Kind::Text).secret().says(
        "`sqlite` (in the data folder, for one node), or a PostgreSQL database that nodes share: \
         postgres://NAME:PASSWORD@HOST/DATABASE. Other processes can read a password on the command line; better put \
         the URL into a file of its own and name that.",
        "\"sqlite\"",
    );
    STORE_FILE = Key::of("store.url_file", "store-file", Kind::File).says(
        "A file with the text of store.url, which only the node may read.",
        "\"/etc/postern/store-url\"",
    );
    STORE_KEYS = Key::of("store.keys_url", "keys", Kind::Text).secret().says(
        "The PostgreSQL database for keys, with backups of its own. Without it, the one beside that of store.url whose \
         name has `_keys` at its end.",
        "\"postgres://postern@keys.example.org/postern_keys\"",
    );
    STORE_KEYS_FILE = Key::of("store.keys_url_file", "keys-file", Kind::File).says(
        "A file with the text of store.keys_url, which only the node may read.",
        "\"/etc/postern/keys-url\"",
    );
    STORE_CA = Key::of("store.ca", "store-ca", Kind::File).says(
        "Certificates of the authorities that PostgreSQL's own certificate may come from, as PEM.",
        "\"/etc/postern/postgres-ca.pem\"",
    );
    MASTER_KEY = Key::of("store.master_key", "master-key", Kind::File).says(
        "The file with the key over all keys, the same on every node of a store. Without it, master.key in the data \
         folder.",
        "\"/etc/postern/master.key\"",
    );
    TOMBSTONES = Key::of("store.tombstones", "tombstones", Kind::Text).says(
        "A folder on another disk for what must outlive a restore: opt-outs, objections, withdrawals, erasures, sealed \
         and written about every second. Once named, the store is served with it alone, and makes up for what it does \
         not know before a door opens. The same for every node of a store. `none` ends it.",
        "\"/mnt/elsewhere/postern-tombstones\"",
    );
    BODIES = Key::of("store.bodies", "bodies", Kind::Text).or("rows").says(
        "Where bodies over 256 KiB lie when the store is PostgreSQL: `rows` in it, a folder that all nodes see, or \
         s3://BUCKET/PREFIX in a binary that was built with --features s3. The same for every node.",
        "\"/srv/postern-bodies\"",
    );
    BODIES_REGION = Key::of("store.bodies_region", "bodies-region", Kind::Text).says(
        "The bucket's region. Without it us-east-1, which servers that have none take.",
        "\"eu-central-1\"",
    );
    BODIES_ENDPOINT = Key::of("store.bodies_endpoint", "bodies-endpoint", Kind::Url).says(
        "The bucket's server, without the bucket; without it Amazon's of the region.",
        "\"https://s3.example.org\"",
    );
    BODIES_VIRTUAL_HOST = Key::of("store.bodies_virtual_host", "bodies-virtual-host", Kind::Switch).or("false").says(
        "The server of store.bodies_endpoint is asked as BUCKET.HOST instead of as HOST/BUCKET.",
        "true",
    );
    BODIES_CA = Key::of("store.bodies_ca", "bodies-ca", Kind::File).says(
        "Certificates of the authorities that the bucket's server's own certificate may come from, as PEM.",
        "\"/etc/postern/s3-ca.pem\"",
    );
    BODIES_KEYS = Key::of("store.bodies_keys_file", "bodies-keys", Kind::File).says(
        "The file with the bucket's keys: lines `aws_access_key_id = …` and `aws_secret_access_key = …`. Without it, \
         the variables AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.",
        "\"/etc/postern/s3-keys\"",
    );
    SINK = Key::of("delivery.sink", "sink", Kind::Text).says(
        "HOST:PORT to which everything goes, instead of to the recipients' exchangers. Every node of a store needs the \
         same.",
        "\"relay.example.org:25\"",
    );
    DNS = Key::of("delivery.dns", "dns", Kind::Text).says(
        "The DNS server to ask, ADDRESS or ADDRESS:PORT. Without it, those of the system.",
        "\"127.0.0.1:53\"",
    );
    MX_PORT = Key::of("delivery.mx_port", "mx-port", PORT).or("25").says("The port of mail exchangers.", "25");
    DNSSEC = Key::of("delivery.dnssec", "dnssec", Kind::Text).or("validate").says(
        "Whether what DNS answers is validated: DANE needs it. With `validate`, a server that hands on no proofs lets \
         no mail leave; with `off`, answers are taken as they come, and DANE is not used.",
        "\"validate\"",
    );
    DNS_ANCHORS = Key::of("delivery.dns_anchors", "dns-anchors", Kind::File).says(
        "Keys to validate from instead of those of the root, as DNSKEY records.",
        "\"/etc/postern/anchors\"",
    );
    PRIVATE_EXCHANGERS = Key::of("delivery.private_exchangers", "private-exchangers", Kind::Switch).or("false").says(
        "Let DNS lead to exchangers that are not on the public Internet. Anybody who can name a recipient can then \
         have this node speak to what is beside it.",
        "false",
    );
    EXCHANGER_CA = Key::of("delivery.exchanger_ca", "exchanger-ca", Kind::File).says(
        "Authorities to trust for exchangers and for hosts of MTA-STS policies, as PEM, beside the usual ones.",
        "\"/etc/postern/exchangers-ca.pem\"",
    );
    CONNECTIONS = Key::of("delivery.connections", "connections", ANY).or("500").unit("connections").reloadable().says(
        "Connections to exchangers at once, from this node to all sites together: as many as its address may have.",
        "500",
    );
    SITE_CONNECTIONS = Key::of("delivery.site_connections", "site-connections", ANY)
        .or("20")
        .unit("connections")
        .reloadable()
        .says(
            "Connections to one site at once, from each node, where neither docs/sites.md nor delivery.sites says \
             otherwise. A site is who takes mail for a domain: all domains with the same exchangers share them. It has \
             fewer while it complains.",
            "20",
        );
    SITES = Key::of("delivery.sites", "sites", Kind::Many(SITE_RULE)).reloadable().says(
        "What single sites bear, each with one limit or more. NAME is a provider of docs/sites.md, such as google, or \
         the name of exchangers, which stands for all below it, too. On several nodes the limits are parted among \
         them. Stands before the table of providers; `postern sites` stands before it.",
        "[\"google connections=10 per_minute=600\", \"mx.example.org connections=2\"]",
    );
    TLS_REPORTS = Key::of("delivery.tls_reports", "tls-reports", Kind::Text).says(
        "Report daily on TLS to receiving domains that ask for it (RFC 8460), in the name of this controller: the \
         operator's own account, with a verified domain and an instruction for service mail. Without it nothing is \
         counted and nobody is told. The report names the operator and his contact, as `operator` says them.",
        "\"Example Mail Ltd\"",
    );
    EGRESS_ADDRESSES = Key::of("egress.addresses", "egress-addresses", Kind::Many(EGRESS_ADDRESS)).says(
        "Addresses of this machine that mail leaves from, IPv4 or IPv6, each with the name that DNS has for it, said \
         at EHLO (without it, node.ehlo), and its share of its pool's connections, from 1 to 100 (without it, 1). Each \
         stands in one pool. A node that does not have one says so, and leaves it out until it has.",
        "[\"mx1 203.0.113.5 ehlo=mx1.example.net\", \"mx2 2001:db8::5 ehlo=mx2.example.net weight=3\"]",
    );
    EGRESS_POOLS = Key::of("egress.pools", "egress-pools", Kind::Many(EGRESS_POOL)).says(
        "Pools of these addresses. A message leaves by one pool and never by another. The pool `default` is there in \
         any case: without addresses of its own it leaves from whichever the system chooses, as node.ehlo. The same \
         names on every node of a store.",
        "[\"default mx1\", \"news mx2\"]",
    );
    EGRESS_TRANSACTIONAL = Key::of("egress.transactional", "egress-transactional", Kind::Text).or("default").says(
        "The pool for mail that a person waits for: transactional, service and legal streams. `postern egress assign` \
         stands before it.",
        "\"default\"",
    );
    EGRESS_MARKETING = Key::of("egress.marketing", "egress-marketing", Kind::Text).or("default").says(
        "The pool for marketing. `postern egress assign` stands before it.",
        "\"news\"",
    );
    SMTP_CONNECTIONS = Key::of("limits.smtp_connections", "smtp-connections", ANY)
        .or("2000")
        .unit("connections")
        .reloadable()
        .says("Connections of SMTP clients at once, on all doors of this node together.", "2000");
    NETWORK_CONNECTIONS = Key::of("limits.network_connections", "network-connections", ANY)
        .or("500")
        .unit("connections")
        .reloadable()
        .says("Those of one network at once: an IPv4 address, or the /64 of an IPv6 address.", "500");
    ACME_DIRECTORY = Key::of("acme.directory", "acme-directory", Kind::Url).says(
        "Order certificates for controllers' own host names from the authority with this ACME directory; by that you \
         agree to its terms. Requests for host names that nobody has are then not found. Without it such names have no \
         certificates and are not linked to.",
        "\"https://acme-v02.api.letsencrypt.org/directory\"",
    );
    ACME_CONTACT = Key::of("acme.contact", "acme-contact", Kind::Many("e-mail addresses")).says(
        "Where that authority reaches you; goes with acme.directory.",
        "[\"hostmaster@example.org\"]",
    );
    ACME_CA = Key::of("acme.ca", "acme-ca", Kind::File).says(
        "Authorities to trust for the connection to it, as PEM, beside the usual ones.",
        "\"/etc/postern/acme-ca.pem\"",
    );
    CHECK_ADDRESSES = Key::of("check.addresses", "address", Kind::Many("ADDRESS[=NAME]")).says(
        "Addresses that mail leaves from, as receivers see them, each with the name in EHLO where that is not \
         node.ehlo. Without them, those that node.ehlo has in DNS.",
        "[\"192.0.2.25\", \"2001:db8::25=mx6.example.org\"]",
    );
    CHECK_BLOCKLISTS = Key::of("check.blocklists", "blocklist", Kind::Many("NAME")).says(
        "Block lists to ask about these addresses. None without: each question tells the list your address, and many \
         have terms of use, or want a resolver or a key of your own.",
        "[\"bl.example.org\"]",
    );
    CHECK_TIME_SERVER = Key::of("check.time_server", "time-server", Kind::Text).says(
        "HOST or HOST:PORT of a time server (NTP) to compare the clock with. None without.",
        "\"ntp.example.org\"",
    );
    LOG = Key::of("log.filter", "log", Kind::Text).or("info").reloadable().says(
        "How much is logged: error, warn, info, debug, or by part, such as mta=debug,warn. No line holds an address, \
         subject, body or credential, at any level.",
        "\"info\"",
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_key_has_a_section_a_name_a_flag_and_an_example_that_it_takes() {
        let mut seen = HashSet::new();
        for key in KEYS {
            let (section, name) = key.parts();
            assert!(SECTIONS.iter().any(|(known, _)| *known == section), "{}", key.name);
            assert!(seen.insert(key.name) && seen.insert(key.flag), "{} is there twice", key.name);
            assert!(!key.says.is_empty() && !key.example.is_empty(), "{}", key.name);
            let text = format!("[{section}]\n{name} = {}\n", key.example);
            let (layer, problems) = super::super::file::parse(&text, std::path::Path::new("x.toml"));
            assert!(problems.is_empty() && layer.len() == 1, "{}: {problems:?}", key.name);
            let default: Vec<String> = key.default.map(str::to_owned).into_iter().collect();
            assert_eq!(key.fault(&default), None, "{}", key.name);
        }
    }

    #[test]
    fn defaults_are_those_of_what_they_set() {
        let shaping = mta::delivery::Shaping::DEFAULT;
        let bounds = smtpd::connections::Bounds::default();
        for (key, number) in [
            (CONNECTIONS, u64::from(shaping.connections_node_max)),
            (SITE_CONNECTIONS, u64::from(shaping.connections_max)),
            (SMTP_CONNECTIONS, bounds.node_max as u64),
            (NETWORK_CONNECTIONS, bounds.network_max as u64),
        ] {
            assert_eq!(key.default, Some(number.to_string().as_str()), "{}", key.name);
        }
        assert_eq!(ROLES.default, Some(store::Roles::ALL.to_string().as_str()));
    }
}
