//! Files on disk, from their bytes to a configuration.

#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use super::host;
use crate::config::{control_socket, load, render_file};
use crate::environment::Environment;

/// A file that is removed when the test ends.
struct Sample(PathBuf);

impl Sample {
    fn new(name: &str, text: &str) -> Self {
        let name = format!("containerpilot-{}-{name}.json5", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::write(&path, text).unwrap();
        Self(path)
    }
}

impl Drop for Sample {
    fn drop(&mut self) {
        std::fs::remove_file(&self.0).unwrap();
    }
}

fn environment(variables: &[(&str, &str)]) -> Environment {
    variables.iter().copied().collect()
}

#[test]
fn a_file_is_rendered_before_it_is_read() {
    let text =
        "{ jobs: [{ name: '{{ .NAME }}', exec: 'app' }{{ if .MORE }}, { exec: 'more' }{{ end }}] }";
    let sample = Sample::new("rendered", text);
    let variables = environment(&[("NAME", "app"), ("MORE", "yes")]);
    let config = load(&sample.0, &variables, &host()).unwrap();
    let names: Vec<&str> = config.jobs.iter().map(|job| &*job.name).collect();
    assert_eq!(names, ["app", "more"]);
    let rendered = render_file(&sample.0, &environment(&[("NAME", "x")])).unwrap();
    assert_eq!(rendered, "{ jobs: [{ name: 'x', exec: 'app' }] }");
    let errors = load(&sample.0, &environment(&[]), &host()).unwrap_err();
    assert_eq!(
        errors.to_string(),
        "1:12: jobs[0].name: must be a name, but it is empty: did an environment variable render to nothing?"
    );
}

#[test]
fn an_error_in_the_template_shows_its_line() {
    let sample = Sample::new("template", "{\n  jobs: [{{ nosuch .X }}]\n}");
    let errors = load(&sample.0, &environment(&[]), &host())
        .unwrap_err()
        .to_string();
    let mut lines = errors.lines();
    let message = lines.next().unwrap();
    assert!(message.starts_with("2:"), "{message}");
    let shown = lines.next().unwrap();
    assert_eq!(shown, "    2 |   jobs: [{{ nosuch .X }}]");
    let from = shown.get(lines.next().unwrap().len() - 1..).unwrap();
    assert!(
        from.starts_with("nosuch") || from.starts_with("{{"),
        "{errors}"
    );
}

#[test]
fn clients_find_the_socket_of_a_file_with_broken_jobs() {
    let text = "{ control: { socket: '{{ .DIR }}/cp.sock' }, jobs: [{ port: {{ .PORT | default 0 }}, x: 1 }] }";
    let sample = Sample::new("broken", text);
    let variables = environment(&[("DIR", "/run")]);
    assert!(load(&sample.0, &variables, &host()).is_err());
    assert_eq!(
        control_socket(&sample.0, &variables),
        Ok(PathBuf::from("/run/cp.sock"))
    );
}

#[test]
fn a_file_that_can_not_be_read_is_an_error_everywhere() {
    let missing = Path::new("/no/such/file");
    let error = "cannot read \"/no/such/file\": there is no such file";
    let variables = environment(&[]);
    assert_eq!(
        load(missing, &variables, &host()).unwrap_err().to_string(),
        error
    );
    assert_eq!(
        render_file(missing, &variables).unwrap_err().to_string(),
        error
    );
    assert_eq!(
        control_socket(missing, &variables).unwrap_err().to_string(),
        error
    );
}
