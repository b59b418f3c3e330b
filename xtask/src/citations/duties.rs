//! docs/duties.toml: rules that must have an enforcing line and a test.

use anyhow::{Context, Result, bail};
use toml::{Table, Value};

use super::rule::Rule;
use super::scan::Citations;

/// The duties that are not met, as sentences.
pub(super) fn unmet(text: &str, citations: &Citations) -> Result<Vec<String>> {
    let table: Table = text.parse().context("docs/duties.toml is not TOML")?;
    let Some(Value::Array(duties)) = table.get("duty") else {
        bail!("docs/duties.toml has no [[duty]]");
    };
    let mut unmet = Vec::new();
    for duty in duties {
        let what = duty.get("what").and_then(Value::as_str).context("a duty has no `what`")?;
        let rules = rules(duty).with_context(|| format!("duty {what:?}"))?;
        let near = |rule: &Rule| rules.iter().any(|wanted| rule.within(wanted));
        let (mut enforced, mut tested) = (false, false);
        for (_, places) in citations.rules().filter(|(rule, _)| near(rule)) {
            enforced |= !places.enforced.is_empty();
            tested |= !places.tested.is_empty();
        }
        let names: Vec<String> = rules.iter().map(ToString::to_string).collect();
        let names = names.join(" or ");
        if !enforced {
            unmet.push(format!("{names} ({what}) has no enforcing line"));
        }
        if !tested {
            unmet.push(format!("{names} ({what}) has no test named by it"));
        }
    }
    Ok(unmet)
}

/// The rules that satisfy a duty: any of them, or a part of it.
fn rules(duty: &Value) -> Result<Vec<Rule>> {
    let names = duty.get("rules").and_then(Value::as_array).context("no list `rules`")?;
    let mut rules = Vec::new();
    for name in names {
        let name = name.as_str().context("a rule is not a string")?;
        match Rule::all_in(name).as_slice() {
            [rule] => rules.push(rule.clone()),
            _ => bail!("{name:?} is not the name of one rule"),
        }
    }
    if rules.is_empty() {
        bail!("the list `rules` is empty");
    }
    Ok(rules)
}
