//! `precedent:policy@2.0.0-draft`, of `wit/draft`: one text for all strings of an answer too.

#[allow(clippy::duplicate_mod, reason = "each version has its own")]
#[path = "calls.rs"]
mod calls;
#[allow(clippy::duplicate_mod, reason = "each version has its own")]
#[path = "convert.rs"]
mod convert;
#[allow(clippy::duplicate_mod, reason = "each version has its own")]
#[path = "spans.rs"]
mod spans;

mod bindings {
    #![allow(missing_docs, unreachable_pub, clippy::all, clippy::restriction, reason = "generated")]

    wasmtime::component::bindgen!({
        path: "../wit/draft",
        world: "token-policy",
    });
}

use super::Spoken;

pub(super) use calls::bind;
use {
    bindings::exports::precedent::policy::policy as wit,
    convert::{decision, refusal},
    spans::{Text, shown},
};

/// How it has a string of an answer.
fn said(text: &str, span: wit::Span) -> wasmtime::Result<String> {
    let start = span.offset as usize;
    let said = text.get(start..start.saturating_add(span.length as usize));
    said.map(ToOwned::to_owned).ok_or_else(|| {
        let (from, length) = (span.offset, span.length);
        wasmtime::Error::msg(format!(
            "a span of {length} bytes from {from} does not lie between two characters of a text of {}",
            text.len()
        ))
    })
}

impl Spoken for wit::Decision {
    fn take_text(&mut self) -> String {
        std::mem::take(&mut self.text)
    }
}

impl Spoken for wit::Refusal {
    fn take_text(&mut self) -> String {
        std::mem::take(&mut self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::{said, wit::Span};

    #[test]
    fn a_span_of_an_answer_that_leads_nowhere_is_no_text() {
        let text = "norð";
        let told = |offset, length| said(text, Span { offset, length }).map_err(|e| e.to_string());
        assert_eq!(told(0, 5).as_deref(), Ok("norð"));
        assert_eq!(told(5, 0).as_deref(), Ok(""));
        for (offset, length) in [(0, 6), (6, 0), (4, 1), (3, 1), (u32::MAX, u32::MAX)] {
            let said = told(offset, length).err().unwrap_or_default();
            assert!(said.contains("a text of 5"), "{offset} {length}: {said}");
        }
    }
}
