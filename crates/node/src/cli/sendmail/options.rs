//! The command line of `sendmail` as cron, PHP, git and mail programs write it: options of one letter, with their
//! values in the same word or the next, and recipients at the end.
//!
//! Invariants: an option that is not known is refused, and none is half understood; options that only concerned the
//! sendmail of old are known and passed over.

/// What is to be done.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Options {
    /// `-t`: recipients stand in the message.
    pub(super) from_message: bool,
    /// `-i`, `-oi`: a line with a dot alone does not end the message.
    pub(super) ignores_dots: bool,
    /// `-f`, `-r`: the sender of the envelope.
    pub(super) sender: Option<String>,
    /// `-F`: a name for the author where the message names none.
    pub(super) name: Option<String>,
    /// `-N`: of what to be told (RFC 3461 §4.1).
    pub(super) notify: Option<String>,
    /// `-R`: what is returned with it (RFC 3461 §4.3).
    pub(super) returned: Option<&'static str>,
    /// `-V`: the client's name for the transaction (RFC 3461 §4.4).
    pub(super) envelope_id: Option<String>,
    /// `-q`: look at the queue. There is none here.
    pub(super) queue: bool,
    /// Recipients.
    pub(super) to: Vec<String>,
}

/// Passed over, without a value.
const PLAIN: &[&str] = &["-bm", "-v", "-n", "-U", "-G", "-m"];
/// Passed over, with a value in the same word or the next.
const VALUED: &[char] = &['B', 'h', 'L', 'O', 'p', 'X', 'C'];
/// Passed over, with a value in the same word only.
const ATTACHED: &[char] = &['e', 'o', 'd'];

/// Reads the words.
///
/// # Errors
/// What is not understood.
pub(super) fn read(words: &[String]) -> Result<Options, String> {
    let mut options = Options::default();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let mut letters = word.chars();
        let letter = match (letters.next(), letters.next()) {
            (Some('-'), Some('-')) if word.len() == 2 => {
                options.to.extend(words.cloned());
                break;
            }
            (Some('-'), Some(letter)) => letter,
            _ => {
                options.to.push(word.clone());
                continue;
            }
        };
        let attached = letters.as_str();
        let mut value = || match attached {
            "" => words.next().cloned().ok_or_else(|| format!("{word} wants a value")),
            attached => Ok(attached.to_owned()),
        };
        match (letter, attached) {
            ('t', "") => options.from_message = true,
            ('i', "") | ('o', "i") => options.ignores_dots = true,
            ('t', "i") | ('i', "t") => (options.from_message, options.ignores_dots) = (true, true),
            ('f' | 'r', _) => options.sender = Some(value()?),
            ('F', _) => options.name = Some(value()?),
            ('N', _) => options.notify = Some(notify(&value()?)?),
            ('R', _) => {
                options.returned = Some(match value()?.to_ascii_lowercase().as_str() {
                    "hdrs" => "HDRS",
                    "full" => "FULL",
                    _ => return Err("-R is hdrs or full".to_owned()),
                });
            }
            ('V', _) => options.envelope_id = Some(value()?),
            ('q', _) => options.queue = true,
            ('b', "s" | "p" | "d" | "i" | "v") => {
                return Err(format!("{word} is not done here: speak SMTP with the node, or ask postern queue"));
            }
            _ if PLAIN.contains(&word.as_str()) => {}
            (letter, _) if VALUED.contains(&letter) => drop(value()?),
            (letter, _) if ATTACHED.contains(&letter) => {}
            _ => return Err(format!("{word} is not known")),
        }
    }
    Ok(options)
}

/// RFC 3461 §4.1: `never` alone, or of success, failure and delay.
fn notify(text: &str) -> Result<String, String> {
    let upper = text.to_ascii_uppercase();
    let words: Vec<&str> = upper.split(',').map(str::trim).collect();
    let known = words.iter().all(|word| ["SUCCESS", "FAILURE", "DELAY"].contains(word));
    if words == ["NEVER"] || known {
        Ok(words.join(","))
    } else {
        Err("-N is never, or of success, failure, delay".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(line: &str) -> Result<Options, String> {
        read(&line.split(' ').filter(|word| !word.is_empty()).map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn the_lines_of_cron_php_git_and_mailx_are_understood() {
        let cron = of("-FCronDaemon -i -B8BITMIME -oem root").unwrap();
        assert_eq!(
            (cron.name.as_deref(), cron.ignores_dots, cron.to),
            (Some("CronDaemon"), true, vec!["root".to_owned()])
        );
        let php = of("-t -i -f shop@sample.example").unwrap();
        assert_eq!(
            (php.from_message, php.ignores_dots, php.sender.as_deref()),
            (true, true, Some("shop@sample.example"))
        );
        let git = of("-i -fme@sample.example ada@dest.example -- -odd@dest.example").unwrap();
        assert_eq!(git.to, ["ada@dest.example", "-odd@dest.example"]);
        let mailx = of("-oi -F Me -r me@sample.example -N success,delay -Rhdrs -V id17 ada@dest.example").unwrap();
        assert_eq!((mailx.notify.as_deref(), mailx.returned), (Some("SUCCESS,DELAY"), Some("HDRS")));
        assert_eq!((mailx.name.as_deref(), mailx.envelope_id.as_deref()), (Some("Me"), Some("id17")));
        assert!(of("-ti").unwrap().from_message && of("-q30m").unwrap().queue);
        assert_eq!(of("-O DeliveryMode=b -h 3 ada@dest.example").unwrap().to, ["ada@dest.example"]);
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for line in ["-Z", "-bs", "-bp", "-f", "-N sometimes", "-N never,delay", "-R all", "-tx"] {
            assert!(of(line).is_err(), "{line}");
        }
    }

    proptest! {
        #[test]
        fn any_words_are_read_without_panic(words in prop::collection::vec("-{0,2}[a-zA-Z@.]{0,6}", 0..6)) {
            let _ = read(&words);
        }
    }
}
