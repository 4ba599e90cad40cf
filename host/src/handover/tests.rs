//! Each way in which what came may be wrong, by what it is made of.

use secrecy::{ExposeSecret, SecretString};

use super::{
    envelope::{decrypt, encrypt},
    *,
};
use crate::{
    Host, Proposal, Ruling,
    artifact::PolicyRef,
    config::{Deployment, PeerSpec},
    model::{Phase, Presence},
    observe::Memory,
};

type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error>>;

const SECRET: &str = "canary-\"handed\"\\over";
const NOW: u64 = 1_800_000_000;

/// Two nodes, of which the second knows the first.
struct Nodes {
    from: NodeIdentity,
    to: NodeIdentity,
    deployment: Deployment,
}

fn nodes() -> Result<Nodes> {
    let (from, to) = (NodeIdentity::generate()?, NodeIdentity::generate()?);
    let mut deployment = Deployment::without_manifest(PolicyRef::default())?;
    let signer = Some(from.signer().bytes());
    deployment.peers.push(PeerSpec { name: "laptop".to_owned(), recipient: None, signer });
    Ok(Nodes { from, to, deployment })
}

impl Nodes {
    fn sealed(&self, change: impl FnOnce(&mut Handover<'_>)) -> Result<String> {
        let secret = SecretString::from(SECRET);
        let mut handover = Handover {
            credential: "gateway-token",
            deployment: "home",
            secret: &secret,
            created: NOW,
            expires: NOW + 600,
        };
        change(&mut handover);
        Ok(seal(&self.from, &self.to.recipient(), &handover)?)
    }

    fn accept_at(&self, now: u64, text: &str) -> std::result::Result<Accepted, HandoverError> {
        let Self { to, deployment, .. } = self;
        Receiver { identity: to, deployment, now }.accept(text.as_bytes())
    }

    fn refusal(&self, text: &str) -> Option<HandoverError> {
        self.accept_at(NOW, text).err()
    }

    /// What somebody makes of a text who can open it, sealed to this node again.
    fn forged(&self, change: impl FnOnce(String) -> String) -> Result<String> {
        let plain = decrypt(&self.to, self.sealed(|_| {})?.as_bytes())?;
        let plain = change(String::from_utf8(plain.to_vec())?);
        Ok(encrypt(&self.to.recipient(), plain.as_bytes())?)
    }
}

#[test]
fn what_is_handed_over_arrives() -> Result {
    let nodes = nodes()?;
    let text = nodes.sealed(|_| {})?;
    assert!(text.starts_with("-----BEGIN AGE ENCRYPTED FILE-----\n") && text.ends_with("-----\n"));
    assert!(text.lines().count() > 8 && !text.contains("canary"));
    let accepted = nodes.accept_at(NOW + 1, &text)?;
    assert_eq!(accepted.secret.expose_secret(), SECRET);
    let said = (accepted.peer.as_str(), accepted.deployment.as_str(), accepted.credential.as_str());
    assert_eq!(said, ("laptop", "home", "gateway-token"));
    assert_eq!((accepted.created, accepted.expires), (NOW, NOW + 600));
    assert!(!format!("{accepted:?} {:?}", nodes.to).contains("canary"));
    // As a terminal, or a mail, leaves it.
    let around = format!("\n  {}\r\n", text.replace('\n', "\r\n"));
    assert!(nodes.accept_at(NOW, &around).is_ok());
    let again = nodes.accept_at(NOW, &nodes.sealed(|_| {})?)?;
    assert_ne!(again.nonce, accepted.nonce, "each is another one");
    Ok(())
}

#[test]
fn no_changed_and_no_cut_text_is_accepted() -> Result {
    let nodes = nodes()?;
    let text = nodes.sealed(|_| {})?;
    let text = text.trim_end();
    for index in 0..text.len() {
        let mut changed = text.as_bytes().to_vec();
        if let Some(byte) = changed.get_mut(index) {
            *byte ^= 1;
        }
        let changed = String::from_utf8(changed)?;
        assert!(nodes.refusal(&changed).is_some(), "byte {index}");
        let cut = text.get(..index).unwrap_or_default();
        assert!(nodes.refusal(cut).is_some(), "cut at {index}");
    }
    // A line of the middle is missing, and the end is there.
    let lines: Vec<&str> = text.lines().collect();
    let skip = lines.len() / 2;
    let shorter: Vec<&str> =
        lines.iter().enumerate().filter(|(at, _)| *at != skip).map(|(_, line)| *line).collect();
    assert_eq!(nodes.refusal(&shorter.join("\n")), Some(HandoverError::Damaged));
    let half = text.get(..text.len() / 2).unwrap_or_default();
    assert_eq!(nodes.refusal(half), Some(HandoverError::CutOff));
    for text in ["", " \n", "\n\n"] {
        assert_eq!(nodes.refusal(text), Some(HandoverError::Empty));
    }
    assert_eq!(nodes.refusal(SECRET), Some(HandoverError::NotSealed));
    assert_eq!(nodes.refusal(&format!("Welcome!\n{text}")), Some(HandoverError::NotSealed));
    assert_eq!(nodes.refusal(&"x".repeat(LARGEST + 1)), Some(HandoverError::TooLarge));
    Ok(())
}

#[test]
fn who_cannot_open_it_is_told() -> Result {
    let mut nodes = nodes()?;
    let text = nodes.sealed(|_| {})?;
    nodes.to = NodeIdentity::generate()?;
    let refusal = nodes.refusal(&text);
    assert_eq!(refusal, Some(HandoverError::OtherRecipient(nodes.to.recipient())));
    Ok(())
}

#[test]
fn nothing_that_was_signed_can_be_changed() -> Result {
    let nodes = nodes()?;
    let other = NodeIdentity::generate()?;
    let (signer, target) = (nodes.from.signer().to_string(), nodes.to.recipient().to_string());
    for (old, new) in [
        ("gateway-token", "gateway-password"),
        ("\"home\"", "\"work\""),
        (signer.as_str(), &other.signer().to_string()),
        (target.as_str(), &other.recipient().to_string()),
        ("\"created\":1800000000", "\"created\":1800000001"),
        ("\"expires\":1800000600", "\"expires\":1800000601"),
        ("canary-", "canary+"),
        ("{\"", "{ \""),
    ] {
        let forged = nodes.forged(|plain| {
            assert!(plain.contains(old), "{old}");
            plain.replace(old, new)
        })?;
        assert_eq!(nodes.refusal(&forged), Some(HandoverError::Signature), "{old}");
    }
    let unsigned = nodes.forged(|plain| {
        let lines: Vec<&str> = plain.lines().take(2).collect();
        format!("{}\n\n", lines.join("\n"))
    })?;
    assert_eq!(nodes.refusal(&unsigned), Some(HandoverError::Signature));
    Ok(())
}

#[test]
fn what_is_no_envelope_of_ours_is_none() -> Result {
    let nodes = nodes()?;
    for (old, new) in [
        ("precedent.handover/1", "precedent.handover/2"),
        ("precedent.handover/1\n", ""),
        ("\"nonce\"", "\"number\""),
        ("{\"", "{\"more\":1,\""),
        ("\"created\":1800000000", "\"created\":-1"),
    ] {
        let forged = nodes.forged(|plain| plain.replace(old, new))?;
        assert_eq!(nodes.refusal(&forged), Some(HandoverError::Foreign), "{old}");
    }
    for plain in ["", "\n", "canary-bare", "precedent.handover/1\n{}\n\n"] {
        let forged = nodes.forged(|_| plain.to_owned())?;
        assert_eq!(nodes.refusal(&forged), Some(HandoverError::Foreign), "{plain}");
    }
    Ok(())
}

#[test]
fn it_is_for_one_node_and_from_a_peer() -> Result {
    let mut nodes = nodes()?;
    // A node that it was meant for seals it to another one, as it is.
    let relay = NodeIdentity::generate()?;
    let secret = SecretString::from(SECRET);
    let handover = Handover {
        credential: "gateway-token",
        deployment: "home",
        secret: &secret,
        created: NOW,
        expires: NOW + 600,
    };
    let for_relay = seal(&nodes.from, &relay.recipient(), &handover)?;
    let plain = decrypt(&relay, for_relay.as_bytes())?;
    let passed_on = encrypt(&nodes.to.recipient(), &plain)?;
    let refusal = nodes.refusal(&passed_on);
    assert_eq!(refusal, Some(HandoverError::OtherTarget { peer: "laptop".to_owned() }));

    let text = nodes.sealed(|_| {})?;
    nodes.deployment.peers.clear();
    let refusal = nodes.refusal(&text);
    assert_eq!(refusal, Some(HandoverError::UnknownSigner(nodes.from.signer())));
    Ok(())
}

#[test]
fn it_has_its_time() -> Result {
    let nodes = nodes()?;
    let text = nodes.sealed(|_| {})?;
    let skew = SKEW.as_secs();
    for (now, refusal) in [
        (NOW - skew - 1, Some(HandoverError::FromFuture(NOW))),
        (NOW - skew, None),
        (NOW + 600 + skew, None),
        (NOW + 600 + skew + 1, Some(HandoverError::TooOld(NOW + 600))),
        (0, Some(HandoverError::FromFuture(NOW))),
        (u64::MAX, Some(HandoverError::TooOld(NOW + 600))),
    ] {
        assert_eq!(nodes.accept_at(now, &text).err(), refusal, "{now}");
    }
    for expires in [NOW - 1, NOW, NOW + LONGEST_VALID.as_secs() + 1, u64::MAX] {
        let text = nodes.sealed(|handover| handover.expires = expires)?;
        assert_eq!(nodes.refusal(&text), Some(HandoverError::TooLong), "{expires}");
    }
    Ok(())
}

#[test]
fn it_brings_a_credential_of_this_deployment() -> Result {
    let nodes = nodes()?;
    let text = nodes.sealed(|handover| handover.credential = "internal-auth-secret")?;
    let refusal = nodes.refusal(&text).map(|error| error.to_string()).unwrap_or_default();
    assert!(refusal.contains("`internal-auth-secret`"), "{refusal}");
    assert!(refusal.contains("`gateway-token`"), "{refusal}");
    for secret in ["", "\n", &"x".repeat(LARGEST_SECRET + 1)] {
        let secret = SecretString::from(secret);
        let handover = Handover {
            credential: "gateway-token",
            deployment: "home",
            secret: &secret,
            created: NOW,
            expires: NOW + 1,
        };
        let text = seal(&nodes.from, &nodes.to.recipient(), &handover)?;
        assert_eq!(nodes.refusal(&text), Some(HandoverError::Unfit));
    }
    Ok(())
}

#[test]
fn an_identity_is_what_was_kept_of_it() -> Result {
    let identity = NodeIdentity::generate()?;
    let text = identity.to_text();
    let again = NodeIdentity::from_text(&text).ok_or("it does not read")?;
    assert_eq!(again.recipient(), identity.recipient());
    assert_eq!(again.signer(), identity.signer());
    let lines: Vec<&str> = text.lines().collect();
    for bad in [String::new(), lines.join(" "), text.replace('1', "2"), format!("{}x\n", &*text)] {
        assert!(NodeIdentity::from_text(&bad).is_none());
    }
    // A key that everybody can sign for.
    assert_eq!(Signer::new([0; 32]), None);
    Ok(())
}

/// 0 and 1, with the highest bit too, the two of order 8, p-1 and p+1.
#[test]
fn a_point_that_hides_nothing_is_no_recipient() {
    for weak in [
        "age1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq5cu47z",
        "age1qyqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqj7vrya",
        "age1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqzqqsuwj9m",
        "age1ur4h5lpmgxu2u9jku0a0r87ydtdqnr0tnsetrlvxvgz3vh6fhqqqzyt4v9",
        "age1t7wft09r2zxzfvwsk92eeql0tvzyghxytqwgapkcyf8dm5ylz9ts6wm9s8",
        "age1anlllllllllllllllllllllllllllllllllllllllllllllllals4n2t7m",
        "age1amlllllllllllllllllllllllllllllllllllllllllllllllllsam3fc4",
    ] {
        assert!(weak.parse::<age::x25519::Recipient>().is_ok(), "{weak}");
        assert!(weak.parse::<Recipient>().is_err(), "{weak}");
    }
    assert!(
        "age1pyqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq8r66x"
            .parse::<Recipient>()
            .is_ok()
    );
}

fn proposal() -> Result<Proposal> {
    let mut world = Memory::default();
    world.variables.insert("OPENCLAW_GATEWAY_TOKEN".into(), SECRET.into());
    let remote = r#"{"gateway": {"remote": {"token": "canary-other"}}}"#;
    world.files.insert("/home/node/.openclaw/openclaw.json".into(), remote.into());
    Ok(Host::builder().policy("helm").world(world).build()?.propose(Phase::Check)?)
}

#[test]
fn the_copy_that_should_win_is_handed_over_and_no_expired_one() -> Result {
    let mut proposal = proposal()?;
    let name = |proposal: &Proposal, from: Option<&str>| {
        let found = proposal.to_hand_over("gateway-token", from);
        found.map(|found| proposal.snapshot.name_of(found.location))
    };
    assert_eq!(name(&proposal, None), Ok("env.gateway-token".to_owned()));
    assert_eq!(name(&proposal, Some("config.remote-token")), Ok("config.remote-token".to_owned()));
    let found = proposal.to_hand_over("gateway-token", None)?;
    assert_eq!(found.secret.expose_secret(), SECRET);
    for (credential, from) in [
        ("gateway-tokn", None),
        ("gateway-token", Some("config.remote-tokn")),
        ("gateway-token", Some("config.remote-password")),
        ("gateway-password", None),
    ] {
        let error = proposal.to_hand_over(credential, from).err();
        assert!(error.is_some_and(|error| error.is_usage()), "{credential} {from:?}");
    }
    let empty = name(&proposal, Some("config.auth-token")).err().map(|error| error.to_string());
    assert_eq!(empty.as_deref(), Some("gateway.auth.token holds none"));

    let id = proposal.snapshot.location_named("env.gateway-token").ok_or("no variable")?.0;
    let (other, _) = proposal.snapshot.location_named("config.remote-token").ok_or("no copy")?;
    let now = proposal.snapshot.now;
    for (expires, is_handed_over) in [(now, false), (now + 1, true)] {
        if let Some(location) = proposal.snapshot.locations.get_mut(id.index()) {
            location.expires = Some(expires);
        }
        for from in [None, Some("env.gateway-token")] {
            assert_eq!(name(&proposal, from).is_ok(), is_handed_over, "{from:?}");
        }
    }
    // Two programs should use copies that differ.
    if let Ruling::Decided(decision, _) = &mut proposal.ruling
        && let Some(verdict) = decision.verdicts.iter_mut().find(|one| one.wanted == Some(id))
    {
        verdict.wanted = Some(other);
    }
    let error = name(&proposal, None).err().map(|error| error.to_string()).unwrap_or_default();
    assert!(error.contains("not all programs should use the same gateway-token"), "{error}");
    assert!(error.contains("`env.gateway-token` (") && error.contains("`config.remote-token` ("));
    // Copies of one secret are as good as one.
    let secret = proposal.snapshot.location(id).and_then(|seen| seen.presence.fingerprint());
    if let Some(location) = proposal.snapshot.locations.get_mut(other.index()) {
        location.presence = Presence::Plain(secret.ok_or("no secret")?);
    }
    assert!(name(&proposal, None).is_ok());
    Ok(())
}
