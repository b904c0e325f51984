//! The networks that come with Taper, whole.

use taper_graph::Preset;

use crate::oracle::compare;

#[test]
fn presets_agree_at_several_batch_sizes() {
    let mut failures = Vec::new();
    for preset in Preset::ALL {
        for count in [1, 7, 32] {
            match compare(&preset.graph().unwrap(), count, count as u64) {
                Ok(agreement) if agreement.candle.is_some() => assert!(agreement.rten <= 1e-5),
                Ok(_) => failures.push(format!("{preset} at {count}: no form for candle")),
                Err(error) => failures.push(format!("{preset} at {count}: {error}")),
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
