//! Whether a domain has a DMARC policy, what it asks for, and whether its mail passes it (RFC 9989).
//!
//! Invariant: found by the tree walk of the standard, without a list of public suffixes; at most eight questions.

mod record;

use super::Finding;
use crate::names::{Found, Names};
use record::{Asks, PublicSuffix, Record, is_meant};

/// RFC 9989 §4.10: a name with more labels is cut to so many after the first question.
const LABELS_MAX: usize = 7;

/// By what mail of the domain can pass.
#[derive(Clone, Default, Debug)]
pub struct Aligned {
    /// Domains (`d=`) whose keys are published as they sign.
    pub signed_by: Vec<String>,
    /// The domain in MAIL FROM, where SPF passes for it.
    pub returns_to: Option<String>,
}

/// A record that was met on the walk.
struct Met {
    domain: String,
    record: Record,
}

/// What stands on the way from a name up to its last label.
struct Walk {
    met: Vec<Met>,
    /// Records that count for nothing, and why.
    spoilt: Vec<Finding>,
}

/// DNS did not answer about this name.
struct NoAnswer(String);

/// Looks at the policy for a domain in From.
pub async fn policy(names: &Names, domain: &str, aligned: &Aligned) -> Vec<Finding> {
    let walk = match walked(names, domain).await {
        Ok(walk) => walk,
        Err(NoAnswer(name)) => return vec![Finding::unanswered(domain, &name)],
    };
    let Walk { met, spoilt: mut found } = walk;
    let organisation = organisation(&met, domain);
    let Some((record, at)) = applicable(&met, domain, &organisation) else {
        found.push(Finding::wrong(
            domain,
            "has no DMARC policy, nor has a domain above it",
            format!(
                "publish the TXT record _dmarc.{domain} with \"v=DMARC1; p=none; rua=mailto:ADDRESS\", and raise it \
                 to p=reject when the reports show that all mail passes: large receivers refuse bulk mail without"
            ),
        ));
        return found;
    };
    let asks = if at == domain { record.policy } else { inherited(names, domain, record).await };
    found.extend(shown(domain, at, record, asks));
    found.push(passes(names, domain, record, &organisation, aligned).await);
    found
}

/// RFC 9989 §4.10: upwards from the name itself.
async fn walked(names: &Names, domain: &str) -> Result<Walk, NoAnswer> {
    let mut walk = Walk { met: Vec::new(), spoilt: Vec::new() };
    let labels: Vec<&str> = domain.split('.').collect();
    let above = (1..labels.len()).filter(|at| labels.len() - at <= LABELS_MAX);
    for at in std::iter::once(0).chain(above) {
        let name = labels.get(at..).unwrap_or_default().join(".");
        if walk.ask(names, name).await? {
            break;
        }
    }
    Ok(walk)
}

impl Walk {
    /// Takes what stands at one name; says whether the walk ends there.
    async fn ask(&mut self, names: &Names, domain: String) -> Result<bool, NoAnswer> {
        let at = format!("_dmarc.{domain}");
        let texts = match names.texts(&at).await {
            Found::Some(texts) => texts,
            Found::None => return Ok(false),
            Found::NoAnswer => return Err(NoAnswer(at)),
        };
        let mut meant = texts.iter().filter(|text| is_meant(text));
        match (meant.next(), meant.next()) {
            (Some(text), None) => match Record::parse(text) {
                Ok(record) => {
                    let ends = record.suffix != PublicSuffix::Unsaid;
                    self.met.push(Met { domain, record });
                    return Ok(ends);
                }
                Err(why) => self.spoilt.push(Finding::wrong(
                    &at,
                    format!("its DMARC record does not count: {why}"),
                    format!("let it say \"v=DMARC1; p=none\" or more; it says {text:?}"),
                )),
            },
            (Some(_), Some(_)) => self.spoilt.push(Finding::wrong(
                &at,
                "has several DMARC records, and so none that counts",
                "leave one of them",
            )),
            (None, _) => {}
        }
        Ok(false)
    }
}

/// RFC 9989 §4.10.2: the domain that answers for this one.
fn organisation(met: &[Met], start: &str) -> String {
    for one in met {
        match one.record.suffix {
            PublicSuffix::No => return one.domain.clone(),
            PublicSuffix::Yes if one.domain != start => return one_label_longer(start, &one.domain),
            PublicSuffix::Yes | PublicSuffix::Unsaid => {}
        }
    }
    met.last().map_or_else(|| start.to_owned(), |last| last.domain.clone())
}

/// The name on the way from `start` that lies directly below `above`.
fn one_label_longer(start: &str, above: &str) -> String {
    let wanted = above.split('.').count() + 1;
    let labels: Vec<&str> = start.split('.').collect();
    labels.get(labels.len().saturating_sub(wanted)..).unwrap_or_default().join(".")
}

/// RFC 9989 §4.10.1: its own, then that of its organisation, then that of the public suffix above.
fn applicable<'m>(met: &'m [Met], domain: &str, organisation: &str) -> Option<(&'m Record, &'m str)> {
    let at = |wanted: &str| met.iter().find(|one| one.domain == wanted);
    let suffix = || met.iter().find(|one| one.record.suffix == PublicSuffix::Yes);
    let found = at(domain).or_else(|| at(organisation)).or_else(suffix)?;
    Some((&found.record, &found.domain))
}

/// RFC 9989 §4.7, tags sp and np.
async fn inherited(names: &Names, domain: &str, record: &Record) -> Asks {
    let below = record.below.unwrap_or(record.policy);
    let Some(absent) = record.absent else { return below };
    let (mx, address) = (names.exchangers(domain).await, names.addresses(domain).await);
    let there = mx != Found::None || address != Found::None || names.texts(domain).await != Found::None;
    if there { below } else { absent }
}

fn shown(domain: &str, at: &str, record: &Record, asks: Asks) -> Vec<Finding> {
    let from = if at == domain { String::new() } else { format!(", from {at}") };
    let mut found: Vec<Finding> = Vec::new();
    let policy = format!("asks for {} of what does not pass{from}", asks.word());
    found.push(match record.tries {
        true => Finding::note(domain, format!("{policy}; t=y has receivers do only {}", asks.tried().word())),
        false if asks == Asks::None => {
            Finding::note(domain, format!("{policy}: forgeries arrive; raise it when the reports show none of yours"))
        }
        false => Finding::good(domain, policy),
    });
    if !record.reports {
        found.push(Finding::note(domain, "asks for no reports (rua=), by which you would see who sends in its name"));
    }
    for oddity in &record.oddities {
        let (what, remedy) = oddity.rsplit_once(": ").unwrap_or((oddity, "mend the record"));
        found.push(Finding::warning(format!("_dmarc.{at}"), what, remedy));
    }
    found
}

/// RFC 9989 §4.4: one identifier that is proven has to be aligned with the domain in From.
async fn passes(
    names: &Names,
    domain: &str,
    record: &Record,
    organisation: &str,
    Aligned { signed_by, returns_to }: &Aligned,
) -> Finding {
    let mut by: Vec<String> = Vec::new();
    for signer in signed_by {
        if aligned(names, signer, domain, organisation, record.strict_dkim).await {
            by.push(format!("DKIM of {signer}"));
        }
    }
    if let Some(returns) = returns_to
        && aligned(names, returns, domain, organisation, record.strict_spf).await
    {
        by.push(format!("SPF of {returns}"));
    }
    by.dedup();
    if by.is_empty() {
        let remedy = format!("publish the DKIM keys of {domain}, or an SPF record that lets its return path pass");
        return Finding::wrong(domain, "nothing by which its mail passes DMARC is in DNS", remedy);
    }
    Finding::good(domain, format!("its mail passes by {}", by.join(" and ")))
}

async fn aligned(names: &Names, one: &str, domain: &str, organisation: &str, strict: bool) -> bool {
    if one.eq_ignore_ascii_case(domain) {
        return true;
    }
    if strict {
        return false;
    }
    let own = match walked(names, one).await {
        Ok(walk) => self::organisation(&walk.met, one),
        Err(NoAnswer(_)) => return false,
    };
    own.eq_ignore_ascii_case(organisation)
}
