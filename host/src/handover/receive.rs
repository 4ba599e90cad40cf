//! Whether what came is to be used here.

use secrecy::SecretString;

use super::{
    LARGEST_SECRET, LONGEST_VALID, NodeIdentity, Recipient, SKEW, Signer,
    envelope::{self, Opened},
};
use crate::{config::Deployment, record::moment};

/// Who looks at what came.
#[derive(Debug, Clone, Copy)]
pub struct Receiver<'r> {
    /// The keys of this node.
    pub identity: &'r NodeIdentity,
    /// Its deployment, with the peers that it knows.
    pub deployment: &'r Deployment,
    /// What time it is, in seconds since 1970.
    pub now: u64,
}

/// What may be used here, once: whether it was before is for [`UsedNonces`](crate::record::UsedNonces) to
/// say.
#[derive(Debug)]
#[non_exhaustive]
pub struct Accepted {
    /// Name of the peer that signed it.
    pub peer: String,
    /// What its deployment is called there.
    pub deployment: String,
    /// The credential.
    pub credential: String,
    /// When it was sealed, in seconds since 1970.
    pub created: u64,
    /// Until when it may be used, in seconds since 1970.
    pub expires: u64,
    /// What no other one has.
    pub nonce: [u8; 16],
    /// The secret.
    pub secret: SecretString,
}

/// Why what came is not used. Says nothing of the secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HandoverError {
    /// Nothing, or white space.
    #[error("nothing came on standard input; what did `precedent export` say at the other end?")]
    Empty,
    /// More than an export has.
    #[error("it is larger than 1 MiB, which no export is")]
    TooLarge,
    /// No age file in ASCII armour.
    #[error(
        "it is no export, for it does not begin with -----BEGIN AGE ENCRYPTED FILE-----; send what `precedent export` writes to standard output, and nothing before it"
    )]
    NotSealed,
    /// The end is missing.
    #[error(
        "it is cut off, for it does not end with -----END AGE ENCRYPTED FILE-----; export it again"
    )]
    CutOff,
    /// Something in it is not as it was sealed.
    #[error("it was damaged or changed on its way; export it again")]
    Damaged,
    /// This node's key does not open it.
    #[error(
        "it is sealed to another node, or was damaged; this one is {0}, so let its sender export it --to that, or to a peer with that recipient"
    )]
    OtherRecipient(Recipient),
    /// It opens, and what is in it was not made by this version.
    #[error(
        "what is sealed in it is no handover of this version; run the same version of precedent on both nodes"
    )]
    Foreign,
    /// Whoever signed it does not have the key of the signer that it names.
    #[error("its signature is wrong: it was not made by the node that it names as its sender")]
    Signature,
    /// No peer signs with this key.
    #[error(
        "it is signed by a node that is no peer in the manifest; if `precedent identity` says the same at the sender's, add to its [[peers]]: signer = \"{0}\""
    )]
    UnknownSigner(Signer),
    /// Its sender sealed it to another node.
    #[error("{peer} meant it for another node, and somebody sealed it to this one")]
    OtherTarget {
        /// Name of the peer that signed it.
        peer: String,
    },
    /// It is later than it may be used.
    #[error("it was valid until {}; export it again, or set the clock of this node", moment(*.0))]
    TooOld(u64),
    /// It was made later than it is.
    #[error("it was made at {}, which is yet to come; set the clocks of both nodes", moment(*.0))]
    FromFuture(u64),
    /// It may be used for longer than any may.
    #[error("it says that it is valid for longer than 24 hours, or not at all; no export says so")]
    TooLong,
    /// The deployment has no such credential.
    #[error("it brings `{}`, which this deployment does not have, expected one of `{}`", shown(.credential), .expected.join("`, `"))]
    UnknownCredential {
        /// What it brings.
        credential: String,
        /// What there is.
        expected: Vec<String>,
    },
    /// What it brings is no secret.
    #[error("what it brings is empty, or longer than any secret")]
    Unfit,
    /// It was used here before.
    #[error("it was used here before, and is used once only; export it again")]
    Replayed,
}

impl Receiver<'_> {
    /// Opens what came and checks all but whether it was used before.
    ///
    /// # Errors
    ///
    /// The first that is wrong with it.
    pub fn accept(&self, text: &[u8]) -> Result<Accepted, HandoverError> {
        let accepted = self.accept_any(text)?;
        if self.deployment.credentials().any(|known| known == accepted.credential) {
            return Ok(accepted);
        }
        let expected = self.deployment.credentials().map(ToOwned::to_owned).collect();
        Err(HandoverError::UnknownCredential { credential: accepted.credential, expected })
    }

    /// The same for who knows which credential it must be, such as one that was discovered.
    ///
    /// # Errors
    ///
    /// The same.
    pub(crate) fn accept_any(&self, text: &[u8]) -> Result<Accepted, HandoverError> {
        let opened = envelope::open(self.identity, text)?;
        let Opened { credential, deployment, created, expires, nonce, secret, .. } = opened;
        let key = opened.signer.bytes();
        let peer = self.deployment.peers.iter().find(|peer| peer.signer == Some(key));
        let peer = peer.ok_or(HandoverError::UnknownSigner(opened.signer))?.name.clone();
        if opened.target != self.identity.recipient() {
            return Err(HandoverError::OtherTarget { peer });
        }
        let accepted = Accepted { peer, deployment, credential, created, expires, nonce, secret };
        accepted.is_in_time(self.now)?;
        let secret = secrecy::ExposeSecret::expose_secret(&accepted.secret);
        if secret.trim().is_empty() || secret.len() > LARGEST_SECRET {
            return Err(HandoverError::Unfit);
        }
        Ok(accepted)
    }
}

impl Accepted {
    /// Whether it may be used at a time, in seconds since 1970.
    ///
    /// # Errors
    ///
    /// Why it may not.
    pub fn is_in_time(&self, now: u64) -> Result<(), HandoverError> {
        let Self { created, expires, .. } = *self;
        let skew = SKEW.as_secs();
        if created > now.saturating_add(skew) {
            Err(HandoverError::FromFuture(created))
        } else if now > expires.saturating_add(skew) {
            Err(HandoverError::TooOld(expires))
        } else if !(1..=LONGEST_VALID.as_secs()).contains(&expires.saturating_sub(created)) {
            Err(HandoverError::TooLong)
        } else {
            Ok(())
        }
    }
}

/// A name that somebody else chose, no longer than a line.
fn shown(name: &str) -> String {
    name.chars().take(64).collect()
}
