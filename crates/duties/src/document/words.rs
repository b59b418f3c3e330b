//! Closed lists of words: each a Rust name, a stable word in documents, and a label for people in two languages.

/// Declares an enum with `ALL`, `as_str`, `from_word`, `label` and serde by its stable words.
macro_rules! words {
    ($(#[$doc:meta])* pub enum $name:ident {
        $($(#[$word_doc:meta])* $variant:ident = $word:literal, $english:literal, $german:literal;)+
    }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, serde::Serialize, serde::Deserialize)]
        pub enum $name {
            $($(#[$word_doc])* #[serde(rename = $word)] $variant,)+
        }

        impl $name {
            /// Every one.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The stable word used in documents.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }

            /// From the stable word.
            #[must_use]
            pub fn from_word(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|one| one.as_str() == word)
            }

            /// What people read.
            #[must_use]
            pub const fn label(self, language: $crate::document::terms::Language) -> &'static str {
                match (self, language) {
                    $((Self::$variant, $crate::document::terms::Language::English) => $english,
                    (Self::$variant, $crate::document::terms::Language::German) => $german,)+
                }
            }
        }
    };
}

pub(crate) use words;
