//! What travels: sealed and signed, opened and verified.

use std::{
    borrow::Cow,
    io::{self, Read, Write},
    iter,
};

use age::{
    DecryptError, Decryptor, Encryptor,
    armor::{ArmoredReader, ArmoredWriter, Format},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{HandoverError, LARGEST, NodeIdentity, Recipient, Signer};
use crate::secret::{hex, unhex};

/// What an envelope says it is. It is the first line of what is signed too, so that a signature over
/// anything else is none over an envelope.
const SCHEMA: &str = "precedent.handover/1";
/// How a sealed text begins and ends.
const BEGIN: &str = "-----BEGIN AGE ENCRYPTED FILE-----";
const END: &str = "-----END AGE ENCRYPTED FILE-----";

/// What is handed over.
#[derive(Debug)]
pub struct Handover<'h> {
    /// The credential.
    pub credential: &'h str,
    /// What its deployment is called where it comes from.
    pub deployment: &'h str,
    /// The secret.
    pub secret: &'h SecretString,
    /// When it is sealed, in seconds since 1970.
    pub created: u64,
    /// Until when it may be used, in seconds since 1970.
    pub expires: u64,
}

/// What is signed, and sealed with its signature.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Envelope<'e> {
    #[serde(borrow)]
    schema: Cow<'e, str>,
    #[serde(borrow)]
    credential: Cow<'e, str>,
    #[serde(borrow)]
    deployment: Cow<'e, str>,
    /// The sender's public key.
    #[serde(borrow)]
    sender: Cow<'e, str>,
    /// The recipient. Without it, whoever opens an envelope could seal it to somebody else.
    #[serde(borrow)]
    target: Cow<'e, str>,
    created: u64,
    expires: u64,
    /// 16 bytes that no other envelope has.
    #[serde(borrow)]
    nonce: Cow<'e, str>,
    #[serde(borrow)]
    secret: Cow<'e, str>,
}

/// Signs what is handed over and seals it to one recipient, as text.
///
/// # Errors
///
/// Where there is no randomness.
pub fn seal(from: &NodeIdentity, to: &Recipient, handover: &Handover<'_>) -> io::Result<String> {
    let mut nonce = [0; 16];
    getrandom::fill(&mut nonce).map_err(io::Error::from)?;
    let secret = handover.secret.expose_secret();
    let envelope = Envelope {
        schema: SCHEMA.into(),
        credential: handover.credential.into(),
        deployment: handover.deployment.into(),
        sender: from.signer().to_string().into(),
        target: to.to_string().into(),
        created: handover.created,
        expires: handover.expires,
        nonce: hex(&nonce).into(),
        secret: secret.into(),
    };
    // So that it is not moved while it grows: a control character takes six.
    let mut text = Zeroizing::new(Vec::with_capacity(2048 + 6 * secret.len()));
    writeln!(text, "{SCHEMA}")?;
    serde_json::to_writer(&mut *text, &envelope)?;
    let signature = BASE64_STANDARD.encode(from.sign(&text));
    writeln!(text, "\n{signature}")?;
    encrypt(to, &text)
}

/// Seals bytes to one recipient.
pub(super) fn encrypt(to: &Recipient, bytes: &[u8]) -> io::Result<String> {
    let unfit = |_| io::Error::other("it cannot be sealed to this recipient");
    let recipient = iter::once(&to.0 as &dyn age::Recipient);
    let encryptor = Encryptor::with_recipients(recipient).map_err(unfit)?;
    let armour = ArmoredWriter::wrap_output(Vec::new(), Format::AsciiArmor)?;
    let mut sealed = encryptor.wrap_output(armour)?;
    sealed.write_all(bytes)?;
    let sealed = sealed.finish()?.finish()?;
    String::from_utf8(sealed).map_err(io::Error::other)
}

/// What was in a sealed text. The signature is its signer's; nothing more is known of it yet.
pub(super) struct Opened {
    pub(super) credential: String,
    pub(super) deployment: String,
    pub(super) signer: Signer,
    pub(super) target: Recipient,
    pub(super) created: u64,
    pub(super) expires: u64,
    pub(super) nonce: [u8; 16],
    pub(super) secret: SecretString,
}

/// Opens a sealed text and verifies its signature.
///
/// # Errors
///
/// What is wrong with it.
pub(super) fn open(identity: &NodeIdentity, text: &[u8]) -> Result<Opened, HandoverError> {
    let plain = decrypt(identity, text)?;
    let plain = std::str::from_utf8(&plain).map_err(|_| HandoverError::Foreign)?;
    let lines = plain.strip_suffix('\n').and_then(|lines| lines.rsplit_once('\n'));
    let (signed, signature) = lines.ok_or(HandoverError::Foreign)?;
    let body = signed.strip_prefix(SCHEMA).and_then(|rest| rest.strip_prefix('\n'));
    let envelope: Option<Envelope<'_>> = body.and_then(|body| serde_json::from_str(body).ok());
    let envelope = envelope.filter(|envelope| envelope.schema == SCHEMA);
    let envelope = envelope.ok_or(HandoverError::Foreign)?;

    let signer = Signer::read(&envelope.sender).ok_or(HandoverError::Signature)?;
    let signature = BASE64_STANDARD.decode(signature).ok().and_then(|bytes| bytes.try_into().ok());
    if !signature.is_some_and(|signature| signer.signed(signed.as_bytes(), &signature)) {
        return Err(HandoverError::Signature);
    }
    let nonce = unhex(&envelope.nonce).and_then(|bytes| bytes.try_into().ok());
    Ok(Opened {
        credential: envelope.credential.into_owned(),
        deployment: envelope.deployment.into_owned(),
        signer,
        target: envelope.target.parse().map_err(|_| HandoverError::Foreign)?,
        created: envelope.created,
        expires: envelope.expires,
        nonce: nonce.ok_or(HandoverError::Foreign)?,
        secret: envelope.secret.into_owned().into(),
    })
}

/// What is sealed in a text to this node.
pub(super) fn decrypt(
    identity: &NodeIdentity,
    text: &[u8],
) -> Result<Zeroizing<Vec<u8>>, HandoverError> {
    // Before white space goes: whoever reads to the bound may stop at some.
    if text.len() > LARGEST {
        return Err(HandoverError::TooLarge);
    }
    let text = text.trim_ascii();
    if text.is_empty() {
        return Err(HandoverError::Empty);
    }
    if !text.starts_with(BEGIN.as_bytes()) {
        return Err(HandoverError::NotSealed);
    }
    if !text.ends_with(END.as_bytes()) {
        return Err(HandoverError::CutOff);
    }
    // A text cut off inside the armour and joined again ends as it should, and is told apart by age.
    let failed = |error: DecryptError| match error {
        DecryptError::NoMatchingKeys => HandoverError::OtherRecipient(identity.recipient()),
        _ => HandoverError::Damaged,
    };
    let decryptor = Decryptor::new_buffered(ArmoredReader::new(text)).map_err(failed)?;
    let mine = iter::once(identity.age() as &dyn age::Identity);
    let mut reader = decryptor.decrypt(mine).map_err(failed)?;
    // No longer than what it is in.
    let mut plain = Zeroizing::new(Vec::with_capacity(text.len()));
    reader.read_to_end(&mut plain).map_err(|_| HandoverError::Damaged)?;
    Ok(plain)
}
