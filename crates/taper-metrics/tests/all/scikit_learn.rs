//! `fixtures/metrics.json`: scikit-learn's answers, and the calibration error in NumPy.

use std::path::Path;

use serde::Deserialize;
use taper_metrics::{Evaluator, MetricsError};

#[derive(Deserialize)]
struct Fixture {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    accuracy: f64,
    top2_accuracy: f64,
    log_loss: f64,
    ece: f64,
    confusion_matrix: Vec<Vec<u64>>,
    precision: Vec<f64>,
    recall: Vec<f64>,
    f1: Vec<f64>,
    support: Vec<u64>,
    labels: Vec<u8>,
    logits: Vec<Vec<f32>>,
}

#[test]
fn every_score_agrees_with_scikit_learn() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/metrics.json");
    let fixture: Fixture = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    assert!(fixture.cases.len() >= 3);
    let failures: Vec<String> = fixture.cases.iter().flat_map(|case| differences(case).unwrap()).collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

fn differences(case: &Case) -> Result<Vec<String>, MetricsError> {
    let mut evaluator = Evaluator::new(case.support.len());
    evaluator.update(&case.logits.concat(), &case.labels)?;
    let found = evaluator.finish()?;
    let mut rows = vec![
        ("accuracy".to_owned(), found.accuracy, case.accuracy),
        ("top-2 accuracy".to_owned(), found.top2_accuracy, case.top2_accuracy),
        ("loss".to_owned(), found.loss, case.log_loss),
        ("ece".to_owned(), found.ece, case.ece),
    ];
    for (class, scores) in found.per_class.iter().enumerate() {
        rows.push((format!("precision of {class}"), scores.precision, case.precision[class]));
        rows.push((format!("recall of {class}"), scores.recall, case.recall[class]));
        rows.push((format!("f1 of {class}"), scores.f1, case.f1[class]));
        rows.push((format!("support of {class}"), scores.support as f64, case.support[class] as f64));
    }
    let wrong = rows.into_iter().filter(|(_, found, expected)| (found - expected).abs() > 1e-12);
    let mut failures: Vec<String> = wrong
        .map(|(what, found, expected)| format!("{}: {what} is {found}, not {expected}", case.name))
        .collect();
    if found.confusion_matrix != case.confusion_matrix {
        failures.push(format!("{}: confusion matrix {:?}", case.name, found.confusion_matrix));
    }
    Ok(failures)
}
