//! Tables whose every failing row is reported, not the first alone.

/// Fails with all of `failures`, if there are any.
#[track_caller]
pub(crate) fn assert_none_failed(failures: &[String], rows: usize) {
    assert!(rows > 0, "the table is empty");
    assert!(failures.is_empty(), "{} of {rows} rows fail:\n{}", failures.len(), failures.join("\n"));
}

/// Compares `(case, found, expected)` row by row.
#[track_caller]
pub(crate) fn assert_rows(rows: &[(String, String, String)]) {
    let differ = rows.iter().filter(|(_, found, expected)| found != expected);
    let failures: Vec<String> = differ
        .map(|(case, found, expected)| format!("{case}\n  found    {found}\n  expected {expected}"))
        .collect();
    assert_none_failed(&failures, rows.len());
}
