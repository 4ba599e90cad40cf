//! What must hold of what runs read back: intents, locks, access lists, torn files.

use super::{attributes, lock, replace, runs::Run};

/// Takes any bytes for each of them, and panics where a promise is broken.
pub(crate) fn decode(bytes: &[u8]) {
    intent(bytes);
    let _ = lock::says_who(bytes);
    access_list(bytes);
    torn(bytes);
}

/// An intent that is read is the one that was written.
fn intent(bytes: &[u8]) {
    let Ok(run) = serde_json::from_slice::<Run>(bytes) else { return };
    let written = serde_json::to_vec(&run).unwrap_or_default();
    assert_eq!(serde_json::from_slice::<Run>(&written).ok(), Some(run), "it reads back as another");
}

/// What the group and everybody may do is gone, and nothing else is.
fn access_list(bytes: &[u8]) {
    let mut list = bytes.to_vec();
    attributes::keep_names_only(&mut list);
    assert_eq!(list.len(), bytes.len());
    let once = list.clone();
    attributes::keep_names_only(&mut list);
    assert_eq!(list, once, "twice is once");
    for (index, (now, then)) in list.iter().zip(bytes).enumerate() {
        let is_permission = index >= 4 && (index - 4) % 8 == 2;
        assert!(now == then || is_permission && *now == 0, "byte {index} of a list");
    }
}

/// What a kill leaves of an overwriting is known for that, wherever it struck.
fn torn(bytes: &[u8]) {
    let (Some((at, rest)), half) = (bytes.split_first(), bytes.len() / 2) else { return };
    let (old, new) = rest.split_at(half.min(rest.len()));
    let at = usize::from(*at).min(new.len());
    let left = [new.get(..at).unwrap_or_default(), old.get(at..).unwrap_or_default()].concat();
    assert!(replace::is_torn(&left, old, new), "{at} of {} over {}", new.len(), old.len());
    let longer = [old, new, b"theirs"].concat();
    assert!(!replace::is_torn(&longer, old, new), "more than either is somebody else's");
}
