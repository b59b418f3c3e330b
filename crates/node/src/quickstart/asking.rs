//! Answers, from a file or from a person at the terminal: the same questions, the same judgement.

use super::operator_of;
use super::questions::{self, Answers, CONTROLLER, OPERATOR, QUESTIONS, fault, offered};
use crate::config::file::parse_as;
use crate::config::key::Key;
use crate::config::keys::{self, KEYS, Name};
use crate::config::values::Layer;
use anyhow::{Context as _, bail};
use duties::operator::Operator;
use std::collections::BTreeMap;
use std::io::{BufRead as _, IsTerminal as _, Write as _};
use std::path::Path;

/// The answers so far.
pub(super) struct Asking {
    answers: BTreeMap<&'static str, String>,
    settings: Layer,
    /// Whatever is missing is asked.
    person: bool,
}

impl Asking {
    /// Reads a file of answers and judges all of it; without one, there must be a person.
    pub(super) fn begin(file: Option<&Path>) -> anyhow::Result<Self> {
        let Some(path) = file else {
            if !std::io::stdin().is_terminal() {
                bail!("there is nobody to ask: name a file with --answers (its keys: docs/operations.md)");
            }
            tell("Postern needs a few answers. Ctrl-C leaves; a second run goes on where this one ended.\n");
            return Ok(Self { answers: BTreeMap::new(), settings: Layer::new(), person: true });
        };
        let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        let is_json = text.trim_start().starts_with('{');
        let text = if is_json { of_json(&text, path)? } else { text };
        let (layer, mut problems) = parse_as(&text, path, &[QUESTIONS, KEYS]);
        if is_json {
            // The lines are those of the same text as TOML, which nobody wrote.
            let placeless =
                |problem: String| problem.split_once(": ").map_or_else(String::new, |(_, what)| what.to_owned());
            problems = problems.into_iter().map(placeless).collect();
        }
        let is_question = |name: &str| QUESTIONS.iter().any(|key| key.name == name);
        let (said, settings): (Layer, Layer) = layer.into_iter().partition(|(name, _)| is_question(name));
        let answers = said.into_iter().filter_map(|(name, given)| Some((name, given.texts.into_iter().next()?)));
        let mut asking = Self { answers: answers.collect(), settings, person: false };
        problems.extend(asking.judged());
        if problems.is_empty() { Ok(asking) } else { bail!("{}; nothing was made", problems.join("; ")) }
    }

    /// What is wrong with the answers of a file, and what is missing.
    fn judged(&mut self) -> Vec<String> {
        let mut problems = Vec::new();
        for key in OPERATOR.iter().chain(&CONTROLLER) {
            if !self.answers.contains_key(key.name)
                && let Some(text) = self.offer(key)
            {
                self.answers.insert(key.name, text);
            }
            match self.answers.get(key.name) {
                Some(text) => problems.extend(fault(key, text).map(|fault| format!("{}: {fault}", key.name))),
                None => problems.push(format!("{} is missing, such as {}", key.name, key.example)),
            }
        }
        problems
    }

    fn offer(&self, key: &Key) -> Option<String> {
        offered(key, |key| self.answers.get(key.name).cloned())
    }

    /// What the file of answers says of the node.
    pub(super) const fn settings(&self) -> &Layer {
        &self.settings
    }

    /// What a person is asked of the node, and what follows for one of whom nothing is said.
    pub(super) fn node(&mut self) -> anyhow::Result<Vec<(Name, String)>> {
        let mut said = Vec::new();
        let known = |layer: &Layer, key: &Key| layer.get(key.name).and_then(|given| given.texts.first().cloned());
        let mut one = |key: &'static Key, question: &str, offer: Option<String>| -> anyhow::Result<Option<String>> {
            if let Some(text) = known(&self.settings, key) {
                return Ok(Some(text));
            }
            let text = if self.person { Some(prompt(key, question, offer, |text| named(key, text))?) } else { offer };
            if let Some(text) = &text {
                said.push((key.name, text.clone()));
            }
            Ok(text)
        };
        let host = one(&keys::EHLO, "Under which name is this machine known in DNS?", None)?;
        one(&keys::REGION, "Where does it stand (a country in two capital letters, or EEA)?", Some("EEA".to_owned()))?;
        let pages = host.map(|host| format!("https://{host}"));
        one(&keys::PAGES_URL, "Where do recipients reach its pages, by https?", pages)?;
        Ok(said)
    }

    /// Who runs it.
    pub(super) fn operator(&mut self) -> anyhow::Result<Operator> {
        for key in &OPERATOR {
            self.ask(key)?;
        }
        Ok(operator_of(OPERATOR.map(|key| self.answer(&key))))
    }

    /// For whom it sends.
    pub(super) fn controller(&mut self) -> anyhow::Result<Answers> {
        for key in &CONTROLLER {
            self.ask(key)?;
        }
        let preset = questions::preset(&self.answer(&questions::PRESET)).context("there is no such preset")?;
        Ok(Answers {
            name: self.answer(&questions::NAME),
            address: self.answer(&questions::ADDRESS),
            contact: self.answer(&questions::CONTACT),
            signatory: self.answer(&questions::SIGNATORY),
            capacity: self.answer(&questions::CAPACITY),
            account: self.answer(&questions::ACCOUNT),
            domain: self.answer(&questions::DOMAIN),
            preset,
            messages_per_day: self.answer(&questions::PER_DAY).parse()?,
            sender: self.answer(&questions::SENDER),
        })
    }

    fn ask(&mut self, key: &Key) -> anyhow::Result<()> {
        if self.person && !self.answers.contains_key(key.name) {
            let text = prompt(key, key.says, self.offer(key), |text| fault(key, text))?;
            self.answers.insert(key.name, text);
        }
        Ok(())
    }

    fn answer(&self, key: &Key) -> String {
        self.answers.get(key.name).cloned().unwrap_or_default()
    }
}

/// What is wrong with an answer about the node.
fn named(key: &Key, text: &str) -> Option<String> {
    let wrong = match key.name {
        "node.ehlo" => mail::address::Domain::parse(text).is_err(),
        "node.region" => !model::region::is_region(text),
        "public.pages_url" => mta::Pages::parse(text).is_err(),
        _ => key.fault(&[text.to_owned()]).is_some(),
    };
    wrong.then(|| format!("this cannot be; an example: {}", key.example))
}

/// JSON with the same keys.
fn of_json(text: &str, path: &Path) -> anyhow::Result<String> {
    let named = || format!("{} is no JSON with answers", path.display());
    let said: toml::Table = serde_json::from_str(text).with_context(named)?;
    toml::to_string(&said).with_context(named)
}

/// Asks until the answer can be.
fn prompt(
    key: &Key,
    question: &str,
    offer: Option<String>,
    fault: impl Fn(&str) -> Option<String>,
) -> anyhow::Result<String> {
    loop {
        let beside =
            offer.as_deref().map_or_else(|| format!(" (such as {})", key.example), |offer| format!(" [{offer}]"));
        write(&format!("{question}{beside}\n> "))?;
        let mut line = String::new();
        if std::io::stdin().lock().read_line(&mut line)? == 0 {
            bail!("the answers ended before the questions did; start again, and it goes on from here");
        }
        let text = match line.trim() {
            "" => offer.clone().unwrap_or_default(),
            "yes" | "y" if key.name == questions::DOMAIN_IS_ITS_OWN.name => "true".to_owned(),
            "no" | "n" if key.name == questions::DOMAIN_IS_ITS_OWN.name => "false".to_owned(),
            text => text.to_owned(),
        };
        match fault(&text) {
            None => return Ok(text),
            Some(fault) => tell(&format!("  {}: {fault}", key.name)),
        }
    }
}

fn write(text: &str) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// Says something to whoever started it.
pub(super) fn tell(text: &str) {
    // Nobody there to read it is no reason to stop half way.
    drop(write(&format!("{text}\n")));
}
