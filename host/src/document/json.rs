//! JSON and JSON5 documents.

mod edit;
mod merged;
mod strict;
mod tree;

use jsonc_parser::ParseOptions;

pub(crate) use edit::edit;
pub(crate) use merged::{Found, Part, find, includes};
pub(crate) use tree::{Tree, text_of};

use super::{DocumentError, Edit, EditError, NewValue, Syntax, Text, line_and_column};

impl Syntax {
    fn options(self) -> ParseOptions {
        let json5 = self == Self::Json5;
        ParseOptions {
            allow_comments: json5,
            allow_loose_object_property_names: json5,
            allow_trailing_commas: json5,
            // Neither language has them, although the parser does.
            allow_missing_commas: false,
            allow_single_quoted_strings: json5,
            allow_hexadecimal_numbers: json5,
            allow_unary_plus_numbers: json5,
            allow_bare_decimal_point_numbers: json5,
            allow_non_finite_numbers: json5,
            allow_extended_string_escapes: json5,
        }
    }
}

#[cfg(test)]
mod tests;
