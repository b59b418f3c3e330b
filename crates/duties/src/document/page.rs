//! What people read of a document: a title and blocks, as plain text or as a fragment of HTML with the same words.
//!
//! Values come from customers. In text a line break or a character that turns the direction of writing would let a
//! name pose as a heading; they become spaces. In HTML everything is escaped and nothing becomes a link or a script.

use crate::plain::misleads;
use std::fmt::Write as _;

/// A piece of a page.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Block {
    /// A heading of level 2.
    Heading(String),
    /// A heading of level 3.
    Subheading(String),
    /// Running text.
    Paragraph(String),
    /// A list.
    Items(Vec<String>),
    /// Label and value, one line each.
    Facts(Vec<(String, String)>),
}

/// A document as people read it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Page {
    language: String,
    title: String,
    blocks: Vec<Block>,
}

impl Page {
    /// An empty page. `language` is a BCP 47 tag.
    #[must_use]
    pub fn new(language: impl Into<String>, title: impl Into<String>) -> Self {
        Self { language: language.into(), title: title.into(), blocks: Vec::new() }
    }

    /// Adds a block.
    pub fn push(&mut self, block: Block) {
        self.blocks.push(block);
    }

    /// Adds a heading of level 2.
    pub fn heading(&mut self, text: impl Into<String>) {
        self.push(Block::Heading(text.into()));
    }

    /// Adds a heading of level 3.
    pub fn subheading(&mut self, text: impl Into<String>) {
        self.push(Block::Subheading(text.into()));
    }

    /// Adds running text.
    pub fn paragraph(&mut self, text: impl Into<String>) {
        self.push(Block::Paragraph(text.into()));
    }

    /// Adds a list.
    pub fn items<T: Into<String>>(&mut self, items: impl IntoIterator<Item = T>) {
        self.push(Block::Items(items.into_iter().map(Into::into).collect()));
    }

    /// Adds labels with values.
    pub fn facts<V: Into<String>>(&mut self, facts: impl IntoIterator<Item = (&'static str, V)>) {
        self.push(Block::Facts(facts.into_iter().map(|(label, value)| (label.to_owned(), value.into())).collect()));
    }

    /// Plain text: UTF-8, lines end in LF, one at the end.
    #[must_use]
    pub fn text(&self) -> String {
        let mut out = String::new();
        underlined(&self.title, '=', &mut out);
        for block in &self.blocks {
            out.push('\n');
            match block {
                Block::Heading(text) => underlined(text, '-', &mut out),
                Block::Subheading(text) | Block::Paragraph(text) => {
                    out.push_str(&one_line(text));
                    out.push('\n');
                }
                Block::Items(items) => {
                    for item in items {
                        let _ = writeln!(out, "- {}", one_line(item));
                    }
                }
                Block::Facts(facts) => {
                    for (label, value) in facts {
                        let _ = writeln!(out, "{}: {}", one_line(label), one_line(value));
                    }
                }
            }
        }
        out
    }

    /// A fragment of HTML: one `section`, no attributes but `lang` and a class, no links, no scripts.
    #[must_use]
    pub fn html(&self) -> String {
        let mut out = String::new();
        let _ = write!(out, "<section class=\"document\" lang=\"{}\">\n<h1>", escaped(&self.language));
        let _ = writeln!(out, "{}</h1>", escaped(&self.title));
        for block in &self.blocks {
            html_block(block, &mut out);
        }
        out.push_str("</section>\n");
        out
    }
}

fn html_block(block: &Block, out: &mut String) {
    let _ = match block {
        Block::Heading(text) => writeln!(out, "<h2>{}</h2>", escaped(text)),
        Block::Subheading(text) => writeln!(out, "<h3>{}</h3>", escaped(text)),
        Block::Paragraph(text) => writeln!(out, "<p>{}</p>", escaped(text)),
        Block::Items(items) => {
            out.push_str("<ul>\n");
            for item in items {
                let _ = writeln!(out, "<li>{}</li>", escaped(item));
            }
            writeln!(out, "</ul>")
        }
        Block::Facts(facts) => {
            out.push_str("<dl>\n");
            for (label, value) in facts {
                let _ = writeln!(out, "<dt>{}</dt><dd>{}</dd>", escaped(label), escaped(value));
            }
            writeln!(out, "</dl>")
        }
    };
}

fn underlined(text: &str, line: char, out: &mut String) {
    let text = one_line(text);
    let _ = writeln!(out, "{text}");
    out.extend(std::iter::repeat_n(line, text.chars().count().min(80)));
    out.push('\n');
}

/// Without what could look like another line or turn the reading order.
fn one_line(text: &str) -> String {
    let plain: String = text.chars().map(|character| if misleads(character) { ' ' } else { character }).collect();
    plain.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in one_line(text).chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
    }
    out
}
