//! Other nodes that hand secrets to this one, or take them from it. What stands here is public.

use std::collections::BTreeSet;

use base64::{
    Engine,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use serde::Deserialize;
use toml::Spanned;

use super::{ManifestError, merge::Source};
use crate::secret::unhex;

/// With padding or without, as people copy it.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Another node. What it is known by, `precedent identity` prints there.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct PeerTable {
    /// What `precedent export --to` calls it.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub(super) name: Spanned<String>,
    /// Its age recipient, `age1...`: secrets may be sealed to it.
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub(super) recipient: Option<Spanned<String>>,
    /// The public key that it signs with, 32 bytes in base64 or hexadecimal: what it hands over is taken.
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub(super) signer: Option<Spanned<String>>,
}

/// Another node.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PeerSpec {
    /// Name of the node.
    pub name: String,
    /// Its age recipient, if secrets may be sealed to it.
    pub recipient: Option<String>,
    /// The ed25519 public key that it signs with, if what it hands over is taken.
    pub signer: Option<[u8; 32]>,
}

/// Checks what is declared.
pub(super) fn peers(
    source: &Source<'_>,
    tables: &[PeerTable],
) -> Result<Vec<PeerSpec>, ManifestError> {
    let (mut names, mut signers) = (BTreeSet::new(), BTreeSet::new());
    let mut specs = Vec::new();
    for table in tables {
        let name = table.name.get_ref();
        if name.trim().is_empty() || name.starts_with("age1") {
            let message = "a peer needs a name, which is no recipient".to_owned();
            return Err(source.error(&table.name, message));
        }
        if !names.insert(name) {
            return Err(source.error(&table.name, format!("peer `{name}` stands twice")));
        }
        if table.recipient.is_none() && table.signer.is_none() {
            let message = format!(
                "peer `{name}` needs `recipient`, `signer` or both, as `precedent identity` prints them there"
            );
            return Err(source.error(&table.name, message));
        }
        let recipient = table.recipient.as_ref().map(|given| recipient(source, given));
        let signer = table.signer.as_ref().map(|given| signer(source, given)).transpose()?;
        if let (Some(signer), Some(given)) = (signer, &table.signer)
            && !signers.insert(signer)
        {
            let message = "two peers have this signer; a key is one node's".to_owned();
            return Err(source.error(given, message));
        }
        specs.push(PeerSpec { name: name.clone(), recipient: recipient.transpose()?, signer });
    }
    Ok(specs)
}

fn recipient(source: &Source<'_>, given: &Spanned<String>) -> Result<String, ManifestError> {
    let text = given.get_ref();
    if is_recipient(text) {
        return Ok(text.clone());
    }
    let message = "it is no age recipient of the kind x25519; `precedent identity` prints it there, `age1` and 58 letters and digits";
    Err(source.error(given, message.to_owned()))
}

#[cfg(feature = "handover")]
fn is_recipient(text: &str) -> bool {
    text.parse::<crate::handover::Recipient>().is_ok()
}

/// As well as can be told without what reads it.
#[cfg(not(feature = "handover"))]
fn is_recipient(text: &str) -> bool {
    let rest = text.strip_prefix("age1");
    rest.is_some_and(|rest| {
        rest.len() == 58 && rest.bytes().all(|byte| byte.is_ascii_alphanumeric())
    })
}

fn signer(source: &Source<'_>, given: &Spanned<String>) -> Result<[u8; 32], ManifestError> {
    public_key(given.get_ref()).filter(is_signer).ok_or_else(|| {
        let message = "it is no public key of ed25519; `precedent identity` prints it there, 32 bytes in base64 (or hexadecimal)";
        source.error(given, message.to_owned())
    })
}

#[cfg(feature = "handover")]
fn is_signer(bytes: &[u8; 32]) -> bool {
    crate::handover::Signer::new(*bytes).is_some()
}

#[cfg(not(feature = "handover"))]
fn is_signer(_: &[u8; 32]) -> bool {
    true
}

/// The 32 bytes of a public key, from base64 or hexadecimal.
pub(crate) fn public_key(text: &str) -> Option<[u8; 32]> {
    let bytes =
        if text.len() == 64 { unhex(text)? } else { LENIENT.decode(text.as_bytes()).ok()? };
    bytes.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::public_key;

    #[test]
    fn a_key_is_read_from_base64_and_from_hexadecimal() {
        let padded = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";
        for text in [padded, padded.trim_end_matches('='), &"01".repeat(32)] {
            assert_eq!(public_key(text), Some([1; 32]), "{text}");
        }
        for text in ["", "AQEB", "no key", &"0g".repeat(32), &"01".repeat(31)] {
            assert_eq!(public_key(text), None, "{text}");
        }
    }
}
