//! The fleet that this node is one of: where its store is, whose assignments are followed, and which copies
//! may be sent. Keys stand in files, and the manifest says where.

use std::{
    collections::BTreeSet,
    fmt,
    net::{Ipv4Addr, Ipv6Addr},
    ops::RangeInclusive,
    time::Duration,
};

use serde::{
    Deserialize, Deserializer,
    de::{Error, SeqAccess, Unexpected, Visitor},
};
use toml::Spanned;

use super::{
    Deployment, ManifestError, PathTemplate,
    merge::{Source, known_names, unknown},
    peer::public_key,
    profiles::candidates,
};
use crate::model::declared_name;

/// How long a name may be, which becomes a part of keys in the store.
const LONGEST_NAME: usize = 64;

/// How often a node looks, in seconds.
const INTERVAL: u64 = 60;
const INTERVALS: RangeInclusive<u64> = 1..=3600;

/// How long a node does without the store, in seconds.
const CUT_OFF: u64 = 120;
const CUT_OFFS: RangeInclusive<u64> = 5..=86_400;

/// How long what has a gateway read its secrets anew may take, in seconds.
const AFTER: u64 = 30;
const AFTERS: RangeInclusive<u64> = 1..=600;

/// The fleet that this node is one of. Every node of it, this one too, is one of `[[peers]]`.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct FleetTable {
    /// Name of the fleet, the same on each node: 1 to 64 letters, digits, `-`, `_` and `.`.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    name: Spanned<String>,
    /// Where the store is, `https://HOST:PORT` each; `http://` only on this machine.
    #[cfg_attr(feature = "schema", schemars(with = "Vec<String>"))]
    endpoints: Endpoints,
    /// File of the certificates by which the store is known; needed with `https`.
    #[cfg_attr(feature = "schema", schemars(with = "Option<PathTemplate>"))]
    ca: Option<Spanned<PathTemplate>>,
    /// File of the certificate by which this node is known; needed with `https`.
    #[cfg_attr(feature = "schema", schemars(with = "Option<PathTemplate>"))]
    certificate: Option<Spanned<PathTemplate>>,
    /// File of the private key of that certificate.
    #[cfg_attr(feature = "schema", schemars(with = "Option<PathTemplate>"))]
    key: Option<Spanned<PathTemplate>>,
    /// File of the key that all nodes share for fingerprints; `precedent fleet key` makes it.
    #[cfg_attr(feature = "schema", schemars(with = "PathTemplate"))]
    fingerprint_key: Spanned<PathTemplate>,
    /// Names of the peers whose assignments are followed; all that have a `signer`, where it is left out.
    #[cfg_attr(feature = "schema", schemars(with = "Option<Vec<String>>"))]
    leaders: Option<Spanned<Vec<Spanned<String>>>>,
    /// Locations, and families of them such as `auth-profiles`, whose copies this node may seal to a peer.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "Vec<String>"))]
    send: Vec<Spanned<String>>,
    /// How often a node looks when nothing changed, in seconds; 60 where it is left out, 3600 at most.
    #[cfg_attr(feature = "schema", schemars(with = "Option<u64>"))]
    interval_seconds: Option<Spanned<u64>>,
    /// How long the store may be unreachable before a node goes on by its last assignment alone, in seconds;
    /// 120 where it is left out, 5 to 86400.
    #[cfg_attr(feature = "schema", schemars(with = "Option<u64>"))]
    cut_off_seconds: Option<Spanned<u64>>,
    /// Settings of the policy that hold for the whole fleet: those of the elected node's manifest go to all
    /// nodes, over their own.
    #[serde(default)]
    #[cfg_attr(
        feature = "schema",
        schemars(with = "std::collections::BTreeMap<String, serde_json::Value>")
    )]
    settings: toml::Table,
    /// How secrets are changed on all nodes.
    #[serde(default)]
    rotation: RotationTable,
}

/// How secrets are changed on all nodes.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RotationTable {
    /// Locations where a server reads a second secret, which it accepts beside its own.
    #[cfg_attr(feature = "schema", schemars(with = "Vec<String>"))]
    accepts: Vec<Spanned<String>>,
    /// A program with its arguments, run on this node after each step that wrote something here: what has the
    /// gateway read its secrets anew. Where it fails, the rotation stops.
    #[cfg_attr(feature = "schema", schemars(with = "Option<Vec<String>>"))]
    after: Option<Spanned<Vec<String>>>,
    /// How long that may take; 30 where it is left out, 600 at most.
    #[cfg_attr(feature = "schema", schemars(with = "Option<u64>"))]
    after_seconds: Option<Spanned<u64>>,
}

/// Endpoints as they are written. In one that is no list there may be a password, which serde would show.
#[derive(Debug, Clone)]
struct Endpoints(Vec<Spanned<String>>);

impl<'de> Deserialize<'de> for Endpoints {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct List;

        impl<'de> Visitor<'de> for List {
            type Value = Endpoints;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list, `[\"https://HOST:PORT\"]`")
            }

            fn visit_str<E: Error>(self, _: &str) -> Result<Endpoints, E> {
                Err(E::invalid_type(Unexpected::Other("string"), &self))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Endpoints, A::Error> {
                let mut endpoints = Vec::new();
                while let Some(endpoint) = items.next_element()? {
                    endpoints.push(endpoint);
                }
                Ok(Endpoints(endpoints))
            }
        }

        deserializer.deserialize_seq(List)
    }
}

/// The fleet that this node is one of.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FleetSpec {
    /// Name of the fleet, a part of its keys in the store.
    pub name: String,
    /// Where the store is: `https://HOST:PORT`, or `http://` and a host that is this machine.
    pub endpoints: Vec<String>,
    /// File of the certificates by which the store is known.
    pub ca: Option<PathTemplate>,
    /// File of the certificate by which this node is known; there is a key with it.
    pub certificate: Option<PathTemplate>,
    /// File of the private key of that certificate.
    pub key: Option<PathTemplate>,
    /// File of the key that all nodes share for fingerprints.
    pub fingerprint_key: PathTemplate,
    /// Names of the peers whose assignments are followed; each has a signer.
    pub leaders: Vec<String>,
    /// Locations, and families of them, whose copies this node may seal to a peer.
    pub send: BTreeSet<String>,
    /// How often a node looks when nothing changed.
    pub interval: Duration,
    /// How long the store may be unreachable before a node goes on by its last assignment alone.
    pub cut_off: Duration,
    /// Locations where a server reads a second secret, which it accepts beside its own.
    pub accepts: Vec<String>,
    /// Settings of the policy that hold for the whole fleet, an object.
    pub settings: serde_json::Value,
    /// What has the gateway read its secrets anew: a program and its arguments; none where nothing need.
    pub after: Vec<String>,
    /// How long that may take.
    pub after_time: Duration,
}

impl FleetSpec {
    /// Whether this node may seal the copy at a location to a peer. What is discovered beside a declared
    /// location goes by that one's name.
    #[must_use]
    pub fn may_send(&self, location_name: &str) -> bool {
        self.send.contains(declared_name(location_name))
    }
}

/// Where a file is that the manifest names; none where the path misses a variable.
#[cfg(feature = "fleet")]
pub(crate) fn path_of(
    template: &PathTemplate,
    deployment: &Deployment,
    world: &dyn crate::observe::World,
) -> Option<std::path::PathBuf> {
    let exists = |path: &std::path::Path| world.exists(path);
    template.resolve(&deployment.base, &|name| world.variable(name), &exists)
}

impl Deployment {
    /// Checks what is declared, and reads no file. Peers, locations and logins are there already.
    pub(super) fn fleet(
        &self,
        source: &Source<'_>,
        table: &FleetTable,
    ) -> Result<FleetSpec, ManifestError> {
        let name = name(source, &table.name)?;
        if self.peers.is_empty() {
            let message = format!(
                "fleet `{name}` has no nodes; each, this one too, is one of [[peers]], as `precedent identity` prints them there"
            );
            return Err(source.error(&table.name, message));
        }
        let path = |given: &Option<_>| given.as_ref().map(|given| file(source, given)).transpose();
        let (certificate, key) = (path(&table.certificate)?, path(&table.key)?);
        match (&table.certificate, &table.key) {
            (Some(alone), None) => return Err(source.error(alone, lonely("certificate", "key"))),
            (None, Some(alone)) => return Err(source.error(alone, lonely("key", "certificate"))),
            _ => {}
        }
        let locations = || self.locations.iter().map(|location| location.name.as_str());
        // Whichever policy is shown them: a node may be told to decide by another one.
        let logins = || self.profiles.iter().map(|profiles| profiles.name.as_str());
        let accepts = &table.rotation.accepts;
        known_names(source, "location", accepts, locations)?;
        let (interval, cut_off) = (table.interval_seconds.as_ref(), table.cut_off_seconds.as_ref());
        Ok(FleetSpec {
            endpoints: endpoints(source, table)?,
            ca: path(&table.ca)?,
            certificate,
            key,
            fingerprint_key: file(source, &table.fingerprint_key)?,
            leaders: self.leaders(source, table)?,
            send: known_names(source, "location", &table.send, || locations().chain(logins()))?,
            interval: seconds(source, interval, INTERVAL, INTERVALS)?,
            cut_off: seconds(source, cut_off, CUT_OFF, CUT_OFFS)?,
            accepts: names(accepts),
            settings: serde_json::to_value(&table.settings).unwrap_or_default(),
            after: program(source, table.rotation.after.as_ref())?,
            after_time: seconds(source, table.rotation.after_seconds.as_ref(), AFTER, AFTERS)?,
            name,
        })
    }

    fn leaders(
        &self,
        source: &Source<'_>,
        table: &FleetTable,
    ) -> Result<Vec<String>, ManifestError> {
        let Some(given) = &table.leaders else {
            let signing = self.peers.iter().filter(|peer| peer.signer.is_some());
            let leaders: Vec<String> = signing.map(|peer| peer.name.clone()).collect();
            if leaders.is_empty() {
                let message = "no peer has a `signer`, so that nobody's assignments could be followed; add it, as `precedent identity` prints it there";
                return Err(source.error(&table.name, message.to_owned()));
            }
            return Ok(leaders);
        };
        if given.get_ref().is_empty() {
            let message = "a fleet follows the assignments of one peer at least; name it, or leave `leaders` out for all that have a `signer`";
            return Err(source.error(given, message.to_owned()));
        }
        for name in given.get_ref() {
            let Some(peer) = self.peers.iter().find(|peer| peer.name == *name.get_ref()) else {
                let known = self.peers.iter().map(|peer| peer.name.as_str());
                return Err(source.error(name, unknown("peer", name.get_ref(), known)));
            };
            if peer.signer.is_none() {
                let message = format!(
                    "peer `{}` leads, and has no `signer` by which its assignments are known; add it, as `precedent identity` prints it there",
                    peer.name
                );
                return Err(source.error(name, message));
            }
        }
        Ok(names(given.get_ref()))
    }
}

/// Each once, in the order in which they are written.
fn names(given: &[Spanned<String>]) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let names = given.iter().map(Spanned::get_ref);
    names.filter(|name| seen.insert(*name)).cloned().collect()
}

fn name(source: &Source<'_>, given: &Spanned<String>) -> Result<String, ManifestError> {
    let name = given.get_ref();
    let only_dots = name.bytes().all(|byte| byte == b'.');
    if only_dots || name.len() > LONGEST_NAME || !is_word(name) {
        let message = format!(
            "the name of a fleet has 1 to {LONGEST_NAME} letters from a to z, digits, `-`, `_` and `.`, and not dots alone"
        );
        return Err(source.error(given, message));
    }
    Ok(name.clone())
}

fn is_word(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
}

fn endpoints(source: &Source<'_>, table: &FleetTable) -> Result<Vec<String>, ManifestError> {
    let Endpoints(endpoints) = &table.endpoints;
    if endpoints.is_empty() {
        let message =
            "a fleet has a store; say where: `endpoints = [\"https://HOST:PORT\"]`".to_owned();
        return Err(source.error(&table.name, message));
    }
    endpoints.iter().map(|given| endpoint(source, table, given)).collect()
}

fn endpoint(
    source: &Source<'_>,
    table: &FleetTable,
    given: &Spanned<String>,
) -> Result<String, ManifestError> {
    // There may be a password in it: neither it nor its line is shown.
    let wrong = |message: String| Err(ManifestError { line: None, ..source.error(given, message) });
    let text = given.get_ref();
    let Some((scheme, host)) = scheme_and_host(text) else {
        return wrong(
            "an endpoint is `https://HOST:PORT`, with no user, no password and no path; an address of IPv6 stands in `[]`"
                .to_owned(),
        );
    };
    if scheme == "http" {
        return if is_this_machine(host) {
            Ok(text.clone())
        } else {
            wrong("`http://` is for a store on this machine (127.0.0.1, [::1], localhost): what travels must be encrypted, and each node be known by a certificate; take `https://`, with `ca`, `certificate` and `key`".to_owned())
        };
    }
    let files = [("ca", &table.ca), ("certificate", &table.certificate), ("key", &table.key)];
    let missing = files.iter().filter(|(_, file)| file.is_none());
    let missing: Vec<String> = missing.map(|(key, _)| format!("`{key}`")).collect();
    if missing.is_empty() {
        return Ok(text.clone());
    }
    wrong(format!(
        "`https://` needs `ca`, by which the store is known, and `certificate` and `key`, by which this node is; add {}",
        missing.join(", ")
    ))
}

/// The two of `http://HOST:PORT` or `https://HOST:PORT`, the host without the brackets of an address of IPv6.
fn scheme_and_host(text: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = text.split_once("://")?;
    let (host, port) = rest.rsplit_once(':')?;
    let is_port = port.bytes().all(|byte| byte.is_ascii_digit())
        && port.parse::<u16>().is_ok_and(|port| port > 0);
    let host = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(address) => address.parse::<Ipv6Addr>().ok().map(|_| address)?,
        None => Some(host).filter(|host| !host.is_empty() && is_word(host))?,
    };
    (matches!(scheme, "http" | "https") && is_port).then_some((scheme, host))
}

fn is_this_machine(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<Ipv4Addr>().is_ok_and(|address| address.is_loopback())
        || host.parse::<Ipv6Addr>().is_ok_and(|address| address.is_loopback())
}

fn lonely(there: &str, missing: &str) -> String {
    format!("`{there}` is of no use without `{missing}`; add `{missing} = \"PATH\"`")
}

/// A path, and not what should stand in the file.
fn file(source: &Source<'_>, given: &Spanned<PathTemplate>) -> Result<PathTemplate, ManifestError> {
    let mut paths = candidates(given.get_ref()).peekable();
    if paths.peek().is_none() || paths.any(|path| path.trim().is_empty()) {
        return Err(source.error(given, "no file is named; write its path".to_owned()));
    }
    let in_clear = |path: &String| {
        path.contains('\n') || path.contains("-----BEGIN") || public_key(path).is_some()
    };
    if candidates(given.get_ref()).any(in_clear) {
        let message = "this looks as if it were the key or the certificate itself; put that into a file, and write its path (with an ending such as `.key`)";
        return Err(source.error(given, message.to_owned()));
    }
    Ok(given.get_ref().clone())
}

fn program(
    source: &Source<'_>,
    given: Option<&Spanned<Vec<String>>>,
) -> Result<Vec<String>, ManifestError> {
    let Some(given) = given else { return Ok(Vec::new()) };
    if given.get_ref().first().is_none_or(|program| program.trim().is_empty()) {
        let message = "`after` begins with the name of a program";
        return Err(source.error(given, message.to_owned()));
    }
    Ok(given.get_ref().clone())
}

fn seconds(
    source: &Source<'_>,
    given: Option<&Spanned<u64>>,
    default: u64,
    allowed: RangeInclusive<u64>,
) -> Result<Duration, ManifestError> {
    let Some(given) = given else { return Ok(Duration::from_secs(default)) };
    let number = *given.get_ref();
    if allowed.contains(&number) {
        return Ok(Duration::from_secs(number));
    }
    let (least, most) = (allowed.start(), allowed.end());
    let message = format!("{number} seconds are not possible, {least} to {most} are allowed");
    Err(source.error(given, message))
}
