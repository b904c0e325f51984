//! The report as files.

use std::fs;

use taper_graph::Preset;
use taper_report::{Report, ReportParts, remove_plots};

use crate::report::full;
use crate::{mnist, scores};

#[test]
fn files_are_written_whole_and_stale_plots_go() {
    let folder = tempfile::tempdir().unwrap();
    let (path, plots) = (folder.path().join("report.html"), folder.path().join("plots"));
    let evaluation = scores(10);
    let graph = Preset::Tutorial.graph().unwrap();
    let report = Report::new(&graph, mnist(), full(&evaluation));
    report.write(&path).unwrap();
    let names = || {
        let mut names: Vec<String> = fs::read_dir(&plots)
            .unwrap()
            .map(|file| file.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    };
    let stems = [
        "accuracy",
        "accuracy-by-epoch",
        "confusion",
        "features-1",
        "features-2",
        "filters",
        "learning-rate",
        "loss",
        "loss-by-epoch",
        "mistakes",
        "network",
        "reliability",
        "results",
    ];
    let mut expected: Vec<String> =
        stems.iter().flat_map(|stem| ["png", "svg"].map(|end| format!("{stem}.{end}"))).collect();
    expected.sort();
    assert_eq!(names(), expected);
    let first = fs::read(&path).unwrap();
    let picture = fs::read(plots.join("features-1.png")).unwrap();
    report.write(&path).unwrap();
    assert!(fs::read(&path).unwrap() == first && fs::read(plots.join("features-1.png")).unwrap() == picture);

    // What is not Taper's stays, in the folder of plots too.
    for mine in ["features-mine.png", "loss.txt", "notes.svg"] {
        fs::write(plots.join(mine), "mine").unwrap();
    }
    Report::new(&graph, mnist(), ReportParts::default()).write(&path).unwrap();
    assert_eq!(names(), ["features-mine.png", "loss.txt", "network.png", "network.svg", "notes.svg"]);
    remove_plots(&plots).unwrap();
    assert_eq!(names(), ["features-mine.png", "loss.txt", "notes.svg"]);
    let left: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap().file_name()).collect();
    assert_eq!(left.len(), 2, "nothing but the page and the plots: {left:?}");
    remove_plots(&folder.path().join("nowhere")).unwrap();

    let error = report.write(&folder.path().join("nowhere/report.html")).map(drop);
    assert!(error.is_ok(), "folders are made: {error:?}");
}

#[test]
fn a_failed_write_leaves_the_page_and_its_plots_as_they_were() {
    let folder = tempfile::tempdir().unwrap();
    let (path, plots) = (folder.path().join("report.html"), folder.path().join("plots"));
    let evaluation = scores(10);
    let graph = Preset::Tutorial.graph().unwrap();
    Report::new(&graph, mnist(), full(&evaluation)).write(&path).unwrap();
    let all = || {
        let mut files: Vec<_> = fs::read_dir(&plots).unwrap().map(|file| file.unwrap().path()).collect();
        files.sort();
        files.into_iter().map(|file| (fs::read(&file).unwrap_or_default(), file)).collect::<Vec<_>>()
    };
    let other = Preset::LeNet5.graph().unwrap();
    let other = Report::new(&other, mnist(), ReportParts::default());
    // In the way of the page, and of a plot.
    let before = all();
    fs::create_dir(folder.path().join("taken.html")).unwrap();
    let error = other.write(&folder.path().join("taken.html")).unwrap_err().to_string();
    assert!(error.contains("taken.html"), "{error}");
    assert!(all() == before, "the plots are not what they were");
    let page = fs::read(&path).unwrap();
    fs::remove_file(plots.join("network.png")).unwrap();
    fs::create_dir(plots.join("network.png")).unwrap();
    let before = all();
    let error = other.write(&path).unwrap_err().to_string();
    assert!(error.contains("network.png"), "{error}");
    assert!(all() == before && fs::read(&path).unwrap() == page, "the report is not what it was");
}
