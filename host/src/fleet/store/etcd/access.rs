//! How etcd is reached: the endpoints, and the files that say who is who.

use std::{
    fs::File,
    io::Read,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::Duration,
};

use etcd_client::{Certificate, ConnectOptions, Identity, TlsOptions};
use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::ParsedCertificate,
};
use zeroize::Zeroizing;

use super::{StoreError, failure::text};

/// More often than every five seconds etcd takes for abuse, and hangs up.
const PING_EVERY: Duration = Duration::from_secs(6);
/// A key or a bundle of certificates is far smaller.
const MOST_BYTES: u64 = 1 << 20;

/// How etcd is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EtcdAccess {
    /// `https://HOST:PORT` of each member. The first that answers is asked, so the nearest goes first.
    pub endpoints: Vec<String>,
    /// Certificates, in PEM, of who vouches for the members.
    pub ca: Option<PathBuf>,
    /// This node's certificate, in PEM, by which etcd knows it.
    pub certificate: Option<PathBuf>,
    /// The private key of that certificate, in PEM. Nobody else may have access to it.
    pub key: Option<PathBuf>,
    /// The bound of each call. A listing of several pages may take it for each, and
    /// [`Store::wait`](super::Store::wait) may take it to begin to wait.
    pub time: Duration,
}

impl EtcdAccess {
    /// The bound of one try at one member, so that there is time for the others.
    pub(super) fn share(&self) -> Duration {
        let members = u32::try_from(self.endpoints.len()).unwrap_or(u32::MAX);
        self.time / members.max(1)
    }

    /// What the client is given. Reads the files.
    pub(super) fn options(&self) -> Result<ConnectOptions, StoreError> {
        let secured = self.check_endpoints()?;
        let options = ConnectOptions::new()
            // A member that is cut off from the others would else be silent instead of saying so.
            .with_require_leader(true)
            .with_connect_timeout(self.share())
            .with_keep_alive(PING_EVERY, self.share().max(Duration::from_secs(1)))
            .with_keep_alive_while_idle(false);
        if !secured {
            return Ok(options);
        }
        let mut tls = TlsOptions::new().timeout(self.share());
        let Some(ca) = &self.ca else {
            return Err(access("an https endpoint wants the certificates of who vouches for it"));
        };
        tls = tls.ca_certificate(Certificate::from_pem(authorities(ca)?));
        match (&self.certificate, &self.key) {
            (Some(certificate), Some(key)) => tls = tls.identity(identity(certificate, key)?),
            (None, None) => {}
            (Some(_), None) => return Err(access("a certificate wants its private key")),
            (None, Some(_)) => return Err(access("a private key wants its certificate")),
        }
        Ok(options.with_tls(tls))
    }

    /// What the client says of it, where it does not begin.
    pub(super) fn unfit(&self, endpoint: &str, error: &etcd_client::Error) -> StoreError {
        let text = text(error);
        StoreError::Access(match (error, &self.certificate, &self.key) {
            // It has read the files by then, and what is in them does not go together.
            (etcd_client::Error::TransportError(_), Some(certificate), Some(key)) => {
                format!("{} and {}: {text}", certificate.display(), key.display())
            }
            _ => format!("{endpoint}: {text}"),
        })
    }

    /// Whether they are reached by TLS.
    fn check_endpoints(&self) -> Result<bool, StoreError> {
        if self.endpoints.is_empty() {
            return Err(access("no endpoint of etcd is given"));
        }
        if self.time.is_zero() {
            return Err(access("a call to etcd wants some time"));
        }
        let https = self.endpoints.iter().filter(|one| one.starts_with("https://")).count();
        let http = self.endpoints.iter().filter(|one| one.starts_with("http://")).count();
        // What stands before an @ may be a password: the endpoint is not shown.
        if self.endpoints.iter().any(|one| one.contains('@')) {
            return Err(access("etcd knows a node by its certificate; no endpoint names a user"));
        }
        if https == self.endpoints.len() {
            return Ok(true);
        }
        if http < self.endpoints.len() {
            return Err(access("the endpoints of etcd are all https://HOST:PORT"));
        }
        if self.ca.is_some() || self.certificate.is_some() || self.key.is_some() {
            return Err(access("certificates are of no use to an endpoint that is not https://"));
        }
        Ok(false)
    }
}

pub(super) fn access(why: &str) -> StoreError {
    StoreError::Access(why.to_owned())
}

fn authorities(path: &Path) -> Result<Vec<u8>, StoreError> {
    let pem = read(path, "the certificates of who vouches for etcd", false)?;
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path, &pem)? {
        // What does not parse would be passed over in silence, and every member refused.
        roots.add(certificate).map_err(|error| unfit(path, &format!("no certificate: {error}")))?;
    }
    Ok(pem.to_vec())
}

fn identity(certificate: &Path, key: &Path) -> Result<Identity, StoreError> {
    let chain = read(certificate, "the certificate for etcd", false)?;
    for one in certificates(certificate, &chain)? {
        let parsed = ParsedCertificate::try_from(&one);
        parsed.map_err(|error| unfit(certificate, &format!("no certificate: {error}")))?;
    }
    let private = read(key, "the private key for etcd", true)?;
    // The reason might quote what is in it.
    if PrivateKeyDer::from_pem_slice(&private).is_err() {
        return Err(unfit(key, "no private key in PEM"));
    }
    Ok(Identity::from_pem(chain.as_slice(), private.as_slice()))
}

fn certificates(path: &Path, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, StoreError> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        // A private key in the wrong place is not quoted.
        Ok(_) | Err(_) => Err(unfit(path, "no certificate in PEM")),
    }
}

fn unfit(path: &Path, what: &str) -> StoreError {
    StoreError::Access(format!("{}: {what}", path.display()))
}

fn read(path: &Path, what: &str, private: bool) -> Result<Zeroizing<Vec<u8>>, StoreError> {
    let shown = path.display();
    let failed = |error| StoreError::Access(format!("cannot read {what}, {shown}: {error}"));
    let file = File::open(path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    if !metadata.is_file() {
        return Err(unfit(path, "no regular file"));
    }
    let mode = metadata.mode() & 0o7777;
    if private && mode & 0o077 != 0 {
        return Err(StoreError::Access(format!(
            "others have access to {what}, {shown} (mode {mode:04o}), and may pass for this node; run `chmod 600 {shown}`, or have another made"
        )));
    }
    // At once as large as it gets: what is left behind of a smaller one would not be zeroed.
    let mut bytes = Zeroizing::new(Vec::with_capacity(
        usize::try_from(metadata.len().min(MOST_BYTES)).unwrap_or_default() + 1,
    ));
    file.take(MOST_BYTES).read_to_end(&mut bytes).map_err(failed)?;
    Ok(bytes)
}
