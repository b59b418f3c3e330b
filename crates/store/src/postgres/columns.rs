//! Rows of a batch, turned into the columns that `UNNEST` takes.
//!
//! Octets are borrowed: a body is copied once, into the message that goes to the server.

use super::db::Param;

/// What a statement takes.
pub(super) trait Set: Sync {
    /// How many rows there are.
    fn rows(&self) -> usize;
    /// A parameter a column.
    fn params(&self) -> Vec<Param<'_>>;
}

/// For a statement that takes no parameters.
impl Set for () {
    fn rows(&self) -> usize {
        1
    }

    fn params(&self) -> Vec<Param<'_>> {
        Vec::new()
    }
}

/// Declares a row and its columns: `columns! { Body => Bodies<'a> { id: i64, … } }`. Fields stand in the order of the
/// statement's parameters.
macro_rules! columns {
    ($(#[$doc:meta])* $row:ident => $columns:ident<$life:lifetime> { $($field:ident: $type:ty,)+ }) => {
        $(#[$doc])*
        pub(super) struct $row<$life> {
            $(pub(super) $field: $type,)+
        }

        $(#[$doc])*
        #[derive(Default)]
        pub(super) struct $columns<$life> {
            $($field: Vec<$type>,)+
            rows: usize,
        }

        impl<$life> $columns<$life> {
            /// One more row.
            pub(super) fn push(&mut self, row: $row<$life>) {
                $(self.$field.push(row.$field);)+
                self.rows += 1;
            }
        }

        impl crate::postgres::columns::Set for $columns<'_> {
            fn rows(&self) -> usize {
                self.rows
            }

            fn params(&self) -> Vec<crate::postgres::db::Param<'_>> {
                vec![$(&self.$field),+]
            }
        }
    };
    ($(#[$doc:meta])* $row:ident => $columns:ident { $($field:ident: $type:ty,)+ }) => {
        $(#[$doc])*
        pub(super) struct $row {
            $(pub(super) $field: $type,)+
        }

        $(#[$doc])*
        #[derive(Default)]
        pub(super) struct $columns {
            $($field: Vec<$type>,)+
            rows: usize,
        }

        impl $columns {
            /// One more row.
            pub(super) fn push(&mut self, row: $row) {
                $(self.$field.push(row.$field);)+
                self.rows += 1;
            }
        }

        impl crate::postgres::columns::Set for $columns {
            fn rows(&self) -> usize {
                self.rows
            }

            fn params(&self) -> Vec<crate::postgres::db::Param<'_>> {
                vec![$(&self.$field),+]
            }
        }
    };
}
pub(super) use columns;
