//! Which rule is enforced where, and by which test it is proven: writes docs/citations.md.
//!
//! A citation is a comment at the enforcing line (`// RFC 5321 §4.5.2: …`, `// GDPR Art. 21(3): …`); a test says its
//! rule in its name (`rfc5321_4_5_2_…`, `art21_3_…`). Places are file and item, not line numbers, which change daily.
//! docs/duties.toml lists the rules that must have both.

mod duties;
mod page;
mod rule;
mod scan;
#[cfg(test)]
mod tests;

use std::fs;

use anyhow::{Context, Result, bail};

use self::scan::Citations;
use crate::repo::Repo;

const PAGE: &str = "docs/citations.md";
const DUTIES: &str = "docs/duties.toml";

/// Writes the page; with `--check` compares it instead. Either way the duties must be met.
pub(crate) fn run(repo: &Repo, arguments: &[String]) -> Result<()> {
    let check = match arguments {
        [] => false,
        [flag] if flag == "--check" => true,
        _ => bail!("citations takes only --check"),
    };
    let citations = Citations::of(&repo.sources()?);
    let page = page::render(&citations);
    if !check {
        fs::write(repo.path(PAGE), &page).with_context(|| format!("{PAGE} cannot be written"))?;
        println!("citations: {} rules in {PAGE}", citations.rules().count());
    }
    let unmet = duties::unmet(&repo.read(DUTIES)?, &citations)?;
    for duty in &unmet {
        println!("{DUTIES}: {duty}");
    }
    if check && fs::read_to_string(repo.path(PAGE)).unwrap_or_default() != page {
        bail!("{PAGE} is not current: run `cargo xtask citations` and look at the difference");
    }
    if !unmet.is_empty() {
        bail!("{} duties lack an enforcing line or a test", unmet.len());
    }
    Ok(())
}
