//! The registry's texts as PostgreSQL takes them: `?7` becomes `$7`.

use crate::statement::Statement;
use parking_lot::RwLock;
use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

/// Texts translated so far, by the registry's text. Bounded by the registry.
static TEXTS: LazyLock<RwLock<HashMap<&'static str, Arc<str>>>> = LazyLock::new(RwLock::default);

/// The text for PostgreSQL; made once.
pub(super) fn translated(statement: &Statement) -> Arc<str> {
    if let Some(text) = TEXTS.read().get(statement.text) {
        return Arc::clone(text);
    }
    let text: Arc<str> = Arc::from(translate(statement.text));
    TEXTS.write().insert(statement.text, Arc::clone(&text));
    text
}

/// Outside quotes, each `?` before a digit becomes `$`.
pub(crate) fn translate(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut quoted = false;
    for letter in text.chars() {
        match letter {
            '\'' => {
                quoted = !quoted;
                out.push(letter);
            }
            '?' if !quoted => out.push('$'),
            _ => out.push(letter),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::translate;

    #[test]
    fn parameters_are_translated_and_quoted_text_is_not() {
        assert_eq!(translate("a = ?1 AND b = '?2''?3' OR c = ?12"), "a = $1 AND b = '?2''?3' OR c = $12");
    }
}
