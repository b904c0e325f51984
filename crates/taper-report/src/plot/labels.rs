//! Numbers as they stand at an axis.

/// As few digits as tell the value, thousands apart.
pub(super) fn number(value: f64) -> String {
    if value >= 1000.0 && value.fract() == 0.0 {
        return taper_graph::thousands(value as u64);
    }
    if value != 0.0 && value.abs() < 1e-3 && (value * 1e4 - (value * 1e4).round()).abs() > 1e-6 {
        return format!("{value:.1e}").replace(".0e", "e").replace('-', "−");
    }
    let text = format!("{value:.4}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// 0.985 as `98.5 %`.
pub(super) fn percent(value: f64) -> String {
    let text = format!("{:.2}", 100.0 * value);
    format!("{} %", text.trim_end_matches('0').trim_end_matches('.'))
}
