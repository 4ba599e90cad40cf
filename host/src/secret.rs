//! Secrets and what may be known of them: fingerprints, digests, the vault.

mod seal;

use std::{collections::HashMap, fmt};

use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::model::LocationId;

/// Keyed hash of a secret: equal secrets compare equal, and without the key nobody can go back.
/// 16 bytes of HMAC-SHA-256. Its [`Display`](fmt::Display) is the first 8 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Fingerprint(pub(crate) [u8; 16]);

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().take(4).try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl Serialize for Fingerprint {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex(&self.0))
    }
}

impl<'de> Deserialize<'de> for Fingerprint {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        let bytes = unhex(&text).and_then(|bytes| bytes.try_into().ok());
        bytes.map(Self).ok_or_else(|| de::Error::custom("a fingerprint is 32 hexadecimal digits"))
    }
}

/// How a keyed hash begins where it is written down.
const KEYED: &str = "hmac-sha256:";

/// Keyed hash of a file's bytes. Keyed, because a plain one would let a weak password be guessed
/// from everything around it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Digest([u8; 32]);

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{KEYED}{}", hex(&self.0))
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        let digits = text.strip_prefix(KEYED).and_then(unhex);
        let bytes = digits.and_then(|bytes| bytes.try_into().ok());
        bytes.map(Self).ok_or_else(|| de::Error::custom("a digest is `hmac-sha256:` and 64 digits"))
    }
}

/// The installation's key, from which the keys of fingerprints and digests are derived.
#[derive(Clone)]
pub struct Key {
    bytes: Zeroizing<[u8; 32]>,
    /// What the key comes to before the first byte of a message: half of the work of a short one.
    begun: Hmac<Sha256>,
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(..)")
    }
}

impl Key {
    /// A key from its bytes.
    #[must_use]
    pub fn new(bytes: [u8; 32]) -> Self {
        Self::of(Zeroizing::new(bytes))
    }

    fn of(bytes: Zeroizing<[u8; 32]>) -> Self {
        // A key that is shorter than a block is continued with zeros, by the definition of HMAC.
        let mut block = Zeroizing::new([0; 64]);
        block.iter_mut().zip(bytes.iter()).for_each(|(to, from)| *to = *from);
        Self { begun: Hmac::new((&*block).into()), bytes }
    }

    /// A new key from the operating system's randomness.
    ///
    /// # Errors
    ///
    /// Where the operating system has none to give.
    pub fn generate() -> std::io::Result<Self> {
        let mut bytes = Zeroizing::new([0; 32]);
        getrandom::fill(bytes.as_mut_slice()).map_err(std::io::Error::from)?;
        Ok(Self::of(bytes))
    }

    pub(crate) fn bytes(&self) -> &[u8; 32] {
        &self.bytes
    }

    /// Fingerprint of a secret.
    #[must_use]
    pub fn fingerprint(&self, secret: &str) -> Fingerprint {
        let full = self.mac("fingerprint", secret.as_bytes());
        let mut short = [0; 16];
        short.iter_mut().zip(full).for_each(|(to, from)| *to = from);
        Fingerprint(short)
    }

    /// Digest of a file's bytes.
    #[must_use]
    pub fn digest(&self, bytes: &[u8]) -> Digest {
        Digest(self.mac("digest", bytes))
    }

    /// Keyed hash under a purpose, so that a value made for one can't serve as another's.
    #[must_use]
    pub(crate) fn mac(&self, purpose: &str, bytes: &[u8]) -> [u8; 32] {
        let mut mac = self.begun.clone();
        mac.update(purpose.as_bytes());
        mac.update(&[0]);
        mac.update(bytes);
        mac.finalize().into_bytes().into()
    }
}

/// The secrets of one pass, by location. Never leaves the host; every value is zeroized on drop.
#[derive(Default)]
pub struct Vault {
    /// What stands there in clear: what may be copied from there.
    plain: HashMap<LocationId, SecretString>,
    /// What the reference there leads to: what a reader gets, and nobody copies.
    behind: HashMap<LocationId, SecretString>,
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Vault({} secrets)", self.plain.len() + self.behind.len())
    }
}

impl Vault {
    pub(crate) fn insert(&mut self, location: LocationId, secret: SecretString) {
        self.plain.insert(location, secret);
    }

    pub(crate) fn insert_behind(&mut self, location: LocationId, secret: SecretString) {
        self.behind.insert(location, secret);
    }

    pub(crate) fn expose(&self, location: LocationId) -> Option<&str> {
        self.plain.get(&location).map(ExposeSecret::expose_secret)
    }

    /// What a reader of the location gets, be it through a reference.
    pub(crate) fn secret_at(&self, location: LocationId) -> Option<&SecretString> {
        self.plain.get(&location).or_else(|| self.behind.get(&location))
    }
}

/// Why a text is not taken as a new secret. Says nothing of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unfit {
    /// Nothing but white space.
    #[error("it is empty")]
    Empty,
    /// Shorter than anybody should have.
    #[error("it has fewer than {SHORTEST} characters, which can be guessed")]
    Short,
    /// Files and readers would not agree on it.
    #[error(
        "it holds a space, a quote, a backslash, a dollar sign, a percent sign or a control character, which the files that keep it do not all read alike; letters, digits and `-_.~+/=:` are safe"
    )]
    Ambiguous,
}

const SHORTEST: usize = 16;

/// Takes a text as a new secret, without the newline at its end.
///
/// # Errors
///
/// Why it is none.
pub fn take(text: &str) -> Result<SecretString, Unfit> {
    let text = text.strip_suffix('\n').unwrap_or(text);
    let text = text.strip_suffix('\r').unwrap_or(text);
    let safe = |c: char| c.is_ascii_alphanumeric() || "-_.~+/=:".contains(c);
    if text.trim().is_empty() {
        Err(Unfit::Empty)
    } else if !text.chars().all(safe) {
        Err(Unfit::Ambiguous)
    } else if text.len() < SHORTEST {
        Err(Unfit::Short)
    } else {
        Ok(SecretString::from(text.to_owned()))
    }
}

/// A new secret: 256 bits from the operating system, as 64 hexadecimal digits.
///
/// # Errors
///
/// Where the operating system has no randomness to give.
pub fn mint() -> std::io::Result<SecretString> {
    let mut bytes = Zeroizing::new([0_u8; 32]);
    getrandom::fill(bytes.as_mut_slice()).map_err(std::io::Error::from)?;
    Ok(SecretString::from(hex(bytes.as_slice())))
}

/// Lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The bytes that hexadecimal digits stand for.
pub(crate) fn unhex(text: &str) -> Option<Vec<u8>> {
    let pairs = text.as_bytes().chunks(2);
    let byte = |pair: &[u8]| {
        let digits = std::str::from_utf8(pair).ok().filter(|digits| digits.len() == 2)?;
        u8::from_str_radix(digits, 16).ok()
    };
    pairs.map(byte).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprints_tell_equality_and_nothing_else() {
        let (one, two) = (Key::new([1; 32]), Key::new([2; 32]));
        assert_eq!(one.fingerprint("token"), one.fingerprint("token"));
        assert_ne!(one.fingerprint("token"), one.fingerprint("token "));
        assert_ne!(one.fingerprint("token"), two.fingerprint("token"));
        assert_eq!(one.fingerprint("token").to_string().len(), 8);
    }

    /// Of a program that knows nothing of this one:
    /// `printf 'digest\0abc' | openssl dgst -sha256 -mac HMAC -macopt hexkey:0707...07`.
    #[test]
    fn a_digest_is_hmac_sha_256() {
        let digest = Key::new([7; 32]).digest(b"abc").to_string();
        assert_eq!(
            digest,
            "hmac-sha256:9195e3ad733a4d2172c569c7a3932a51fe950b4b61d8272d78cf57fa38fdf2b1"
        );
    }

    #[test]
    fn debug_shows_no_secret() {
        let mut vault = Vault::default();
        vault.insert(LocationId(0), SecretString::from("canary"));
        assert_eq!(format!("{vault:?} {:?}", Key::new([7; 32])), "Vault(1 secrets) Key(..)");
    }
}
