//! What must hold of a journal that is read back.

use super::{Record, Recorded, read};
use crate::model::{Decision, Phase, Snapshot};

/// Takes any bytes for a journal: each line is a record that reads back as what it was, or is told.
pub(crate) fn decode(bytes: &[u8]) {
    // So small a bound as is met.
    [64, 1 << 20].into_iter().for_each(|most| lines(bytes, most));
}

fn lines(bytes: &[u8], most: u64) {
    let mut rest = bytes;
    let mut lines = 0;
    while let Ok(Some(line)) = read::next_line(&mut rest, most) {
        lines += 1;
        match line.decode() {
            Ok(record) => {
                let written = serde_json::to_vec(&record).unwrap_or_default();
                let again = read::Line::Whole(written).decode();
                let record = Recorded { unknown: Vec::new(), ..record };
                assert_eq!(again, Ok(record), "it reads back as another");
            }
            Err(reason) => {
                assert!(!reason.is_empty() && !reason.contains("canary"), "{reason}");
            }
        }
    }
    let ends = bytes.iter().filter(|byte| **byte == b'\n').count();
    let cut = usize::from(bytes.last().is_some_and(|last| *last != b'\n'));
    assert_eq!(lines, ends + cut, "a line is lost");
}

/// What is recorded of a run reads back as it was.
pub(crate) fn reads_back(snapshot: &Snapshot, decision: &Decision) {
    let mut record = Record::begun(snapshot.now, "fuzz", &snapshot.deployment, Phase::Check);
    record.snapshot = Some(snapshot);
    record.decision = Some(decision);
    let written = serde_json::to_vec(&record).unwrap_or_default();
    let read = read::Line::Whole(written).decode();
    let read = read.map(|read| (read.snapshot, read.decision, read.unknown));
    let expected = (Some(snapshot.clone()), Some(decision.clone()), Vec::new());
    assert_eq!(read, Ok(expected), "it reads back as another");
}
