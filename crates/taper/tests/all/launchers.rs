//! What the program makes of the launchers that start it several times.
#![cfg(not(feature = "mpi"))]

use crate::program::{stderr, taper};

#[test]
fn processes_that_would_train_by_themselves_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let ended = |word: &str, variables: &[(&str, &str)]| {
        let mut command = taper(folder.path());
        command.args([word, "--model", "lenet5"]).envs(variables.iter().copied()).output().unwrap()
    };
    let refused: [(&[(&str, &str)], &str); 5] = [
        (&[("OMPI_COMM_WORLD_SIZE", "2"), ("PMIX_RANK", "0")], "started as 2 processes"),
        (&[("PMI_SIZE", "3")], "started as 3 processes"),
        (
            &[("PMIX_RANK", "0"), ("SLURM_STEP_NUM_TASKS", "4"), ("SLURM_NTASKS", "8")],
            "started as 4 processes",
        ),
        (&[("PMIX_RANK", "5")], "started as 6 processes"),
        (&[("PMIX_RANK", "0")], "started for one of several processes"),
    ];
    for (variables, said) in refused {
        let output = ended("train", variables);
        let error = stderr(&output);
        assert_eq!(output.status.code(), Some(1), "{variables:?}: {error}");
        assert!(error.contains(said) && error.contains("--features mpi"), "{variables:?}: {error}");
    }
    let alone: [&[(&str, &str)]; 3] = [
        // The word by itself, as in a batch script; one task; several that may be one.
        &[("SLURM_NTASKS", "4")],
        &[("PMIX_RANK", "0"), ("SLURM_STEP_NUM_TASKS", "1")],
        &[("PMIX_RANK", "0")],
    ];
    for variables in alone {
        let output = ended("summary", variables);
        assert!(output.status.success(), "{variables:?}: {}", stderr(&output));
    }
    let output = ended("summary", &[("PMIX_RANK", "1"), ("SLURM_NTASKS", "2")]);
    assert!(stderr(&output).contains("only `train` and `pipeline`"), "{}", stderr(&output));
}
