//! Results for a CI server.

use std::io::Write;

use anyhow::Result;
use precedent::cases::CaseResult;
use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

/// Prints one suite, a test a case.
pub(super) fn print(out: &mut impl Write, results: &[&CaseResult]) -> Result<()> {
    let mut suite = TestSuite::new("cases");
    for result in results {
        let status = match result.mismatches.as_slice() {
            [] => TestCaseStatus::success(),
            mismatches => {
                let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
                let lines = mismatches.iter().map(|mismatch| {
                    format!(
                        "{}: expected {}, actual {}",
                        mismatch.what, mismatch.expected, mismatch.actual
                    )
                });
                status.set_message(lines.collect::<Vec<_>>().join("\n"));
                status
            }
        };
        let mut case = TestCase::new(result.name.as_str(), status);
        if let Some(source) = &result.source {
            case.set_classname(source.path.display().to_string());
        }
        suite.add_test_case(case);
    }
    let mut report = Report::new("precedent test");
    report.add_test_suite(suite);
    writeln!(out, "{}", report.to_string()?)?;
    Ok(())
}
