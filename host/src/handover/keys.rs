//! What a node is known by, and what it keeps to itself.

use std::{fmt, io, str::FromStr};

use base64::{Engine, prelude::BASE64_STANDARD};
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use secrecy::ExposeSecret;
use zeroize::Zeroizing;

use crate::{config::public_key, secret::hex};

/// What a file of an identity says it is.
const TITLE: &str = "precedent.identity-key/1";

/// To whom something is sealed: an age recipient of the kind x25519. Its [`Display`](fmt::Display) is
/// `age1...`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipient(pub(super) age::x25519::Recipient);

impl FromStr for Recipient {
    type Err = &'static str;

    /// Reads `age1...`; a point with which everybody shares the same secret is no recipient.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let recipient: age::x25519::Recipient = text.parse()?;
        let is_weak = point(&recipient.to_string()).is_none_or(|point| is_of_low_order(&point));
        if is_weak { Err("it is no key") } else { Ok(Self(recipient)) }
    }
}

impl fmt::Display for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The point that a recipient is, from a text whose checksum is right. What reads it does not tell, and
/// panics later where the point is weak.
fn point(recipient: &str) -> Option<[u8; 32]> {
    let (mut bytes, mut bits, mut held) = (Vec::with_capacity(32), 0_u32, 0_u32);
    for digit in recipient.strip_prefix("age1")?.chars().take(52) {
        let value = "qpzry9x8gf2tvdw0s3jn54khce6mua7l".chars().position(|known| known == digit)?;
        (bits, held) = ((bits << 5) | u32::try_from(value).ok()?, held + 5);
        if held >= 8 {
            held -= 8;
            bytes.push(u8::try_from((bits >> held) & 0xff).ok()?);
        }
        bits &= 0xff;
    }
    bytes.try_into().ok()
}

/// Whether a point of Curve25519 is of those that RFC 7748 (section 6.1) warns of: 0, 1, the two of order 8,
/// and p-1, p, p+1. The highest bit does not count.
fn is_of_low_order(point: &[u8; 32]) -> bool {
    const EIGHTH: [&str; 2] = [
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
        "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
    ];
    let [first, middle @ .., last] = *point;
    let last = last & 0x7f;
    let is = |value| middle.iter().all(|byte| *byte == value);
    let near_zero = first <= 1 && is(0) && last == 0;
    let near_p = (0xec..=0xee).contains(&first) && is(0xff) && last == 0x7f;
    let mut masked = *point;
    if let Some(byte) = masked.last_mut() {
        *byte = last;
    }
    near_zero || near_p || EIGHTH.contains(&hex(&masked).as_str())
}

/// Who signed something: a public key of ed25519. Its [`Display`](fmt::Display) is base64.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signer([u8; 32]);

impl Signer {
    /// A public key from its bytes; none where they are no such key, or one for which everybody can sign.
    #[must_use]
    pub fn new(bytes: [u8; 32]) -> Option<Self> {
        let key = VerifyingKey::from_bytes(&bytes).ok().filter(|key| !key.is_weak());
        key.map(|_| Self(bytes))
    }

    pub(super) fn read(text: &str) -> Option<Self> {
        public_key(text).and_then(Self::new)
    }

    pub(crate) fn bytes(&self) -> [u8; 32] {
        self.0
    }

    /// Whether the key's owner signed these bytes.
    pub(crate) fn signed(&self, bytes: &[u8], signature: &[u8; 64]) -> bool {
        let key = VerifyingKey::from_bytes(&self.0);
        key.is_ok_and(|key| key.verify_strict(bytes, &Signature::from_bytes(signature)).is_ok())
    }
}

impl fmt::Display for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&BASE64_STANDARD.encode(self.0))
    }
}

/// The keys of this node: one opens what is sealed to it, the other signs what it hands over.
pub struct NodeIdentity {
    age: age::x25519::Identity,
    signing: SigningKey,
}

impl fmt::Debug for NodeIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NodeIdentity(..)")
    }
}

impl NodeIdentity {
    /// New keys from the operating system's randomness.
    ///
    /// # Errors
    ///
    /// Where the operating system has none to give.
    pub fn generate() -> io::Result<Self> {
        let mut seed = Zeroizing::new([0; 32]);
        getrandom::fill(seed.as_mut_slice()).map_err(io::Error::from)?;
        Ok(Self { age: age::x25519::Identity::generate(), signing: SigningKey::from_bytes(&seed) })
    }

    /// To whom others seal what is for this node.
    #[must_use]
    pub fn recipient(&self) -> Recipient {
        Recipient(self.age.to_public())
    }

    /// Who signs what this node hands over.
    #[must_use]
    pub fn signer(&self) -> Signer {
        Signer(self.signing.verifying_key().to_bytes())
    }

    pub(super) fn age(&self) -> &age::x25519::Identity {
        &self.age
    }

    pub(crate) fn sign(&self, bytes: &[u8]) -> [u8; 64] {
        self.signing.sign(bytes).to_bytes()
    }

    /// The text that is kept of it.
    pub(crate) fn to_text(&self) -> Zeroizing<String> {
        let age = self.age.to_string();
        let seed = Zeroizing::new(BASE64_STANDARD.encode(self.signing.as_bytes()));
        let mut text = Zeroizing::new(String::with_capacity(256));
        for line in [TITLE, age.expose_secret(), seed.as_str()] {
            text.push_str(line);
            text.push('\n');
        }
        text
    }

    /// An identity from what was kept of it.
    pub(crate) fn from_text(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        let (title, age, seed) = (lines.next()?, lines.next()?, lines.next()?);
        if title != TITLE || lines.next().is_some() {
            return None;
        }
        let mut bytes = Zeroizing::new([0; 32]);
        let read = BASE64_STANDARD.decode_slice(seed, bytes.as_mut_slice()).ok()?;
        let age = age.parse().ok()?;
        (read == bytes.len()).then(|| Self { age, signing: SigningKey::from_bytes(&bytes) })
    }
}
