//! Bytes that only this installation can read: what is kept of a file that was replaced.

use chacha20poly1305::{
    KeyInit, XChaCha20Poly1305, XNonce,
    aead::{Aead, Payload},
};
use zeroize::Zeroizing;

use super::Key;

/// Bytes of the nonce that a sealed text begins with. So long that one by chance is never met twice.
const NONCE: usize = 24;

impl Key {
    /// Encrypts bytes, bound to what they are for: they open for nothing else.
    ///
    /// # Errors
    ///
    /// Where the operating system has no randomness to give.
    pub(crate) fn seal(&self, purpose: &[u8], bytes: &[u8]) -> std::io::Result<Vec<u8>> {
        let mut nonce = [0; NONCE];
        getrandom::fill(&mut nonce).map_err(std::io::Error::from)?;
        let sealed = self
            .cipher()
            .encrypt(&XNonce::from(nonce), Payload { msg: bytes, aad: purpose })
            .map_err(|_| std::io::Error::other("it is too large to be sealed"))?;
        Ok([&nonce[..], &sealed].concat())
    }

    /// The bytes that were sealed for a purpose; none where another key, another purpose or
    /// somebody's hand was in it.
    pub(crate) fn unseal(&self, purpose: &[u8], sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (nonce, sealed) = sealed.split_first_chunk::<NONCE>()?;
        let payload = Payload { msg: sealed, aad: purpose };
        self.cipher().decrypt(&XNonce::from(*nonce), payload).ok().map(Zeroizing::new)
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        let key = Zeroizing::new(self.mac("seal", b""));
        XChaCha20Poly1305::new((&*key).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_opens_for_its_purpose_alone() -> std::io::Result<()> {
        let (key, other) = (Key::new([1; 32]), Key::new([2; 32]));
        let sealed = key.seal(b"one", b"canary-secret")?;
        assert!(!sealed.windows(6).any(|window| window == b"canary"));
        let open = |key: &Key, purpose: &[u8], sealed: &[u8]| {
            key.unseal(purpose, sealed).map(|bytes| bytes.to_vec())
        };
        assert_eq!(open(&key, b"one", &sealed), Some(b"canary-secret".to_vec()));
        assert_eq!(open(&key, b"two", &sealed), None);
        assert_eq!(open(&other, b"one", &sealed), None);
        for index in 0..sealed.len() {
            let mut bad = sealed.clone();
            if let Some(byte) = bad.get_mut(index) {
                *byte ^= 1;
            }
            assert_eq!(open(&key, b"one", &bad), None, "byte {index}");
            assert_eq!(open(&key, b"one", sealed.get(..index).unwrap_or_default()), None);
        }
        assert_ne!(sealed, key.seal(b"one", b"canary-secret")?, "never the same twice");
        Ok(())
    }
}
