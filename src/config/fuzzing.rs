//! What the fuzz targets (`tests/fuzz`) need to see of this module besides its
//! interface. Compiled for them, and with the tests, so that it keeps up; it adds
//! no behaviour.

use std::path::Path as FilePath;

use serde_json::{Map, Number, Value as Json};

use super::findings::{Findings, Path};
use super::positions::Location;
use super::value::Value;
use super::variables::Variables;
use super::{Config, Environment, Errors, Host, env_file, machine, positions, stop_signal, syntax};

/// What `-check` does with the rendered text of a file without a path.
///
/// # Errors
/// Everything that is wrong with it.
pub fn check(text: &str, environment: &Environment, host: &Host) -> Result<Config, Errors> {
    let look = |config: &_, findings: &mut _| machine::check(config, environment, findings);
    super::read(text, None, environment, host, look)
}

/// The value of a JSON5 text, its numbers as floats; of a key that comes twice
/// the last one counts.
///
/// # Errors
/// What is wrong with the text.
pub fn value(text: &str) -> Result<Json, Errors> {
    syntax::read(text).map(json)
}

fn json(value: Value<'_>) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Bool(bool) => Json::Bool(bool),
        Value::Integer(integer) => float(integer as f64),
        Value::Float(float) => self::float(float),
        Value::Text(text) => Json::String(text.into_owned()),
        Value::List(list) => Json::Array(list.into_iter().map(json).collect()),
        Value::Object(entries) => {
            let entries = entries.into_iter();
            let entries = entries.map(|(key, value)| (key.into_owned(), json(value)));
            Json::Object(entries.collect::<Map<_, _>>())
        }
    }
}

/// JSON has no word for what is not finite.
fn float(float: f64) -> Json {
    Number::from_f64(float).map_or(Json::Null, Json::Number)
}

/// Where the keys and items are whose steps from the outermost value are given.
pub fn positions(text: &str, places: &[Vec<String>]) -> Vec<Option<usize>> {
    let place = |steps: &Vec<String>| {
        let steps = steps.iter();
        steps.fold(Location::default(), |place, step| place.key(step))
    };
    let places: Vec<Location> = places.iter().map(place).collect();
    positions::find(text, &places.iter().collect::<Vec<_>>())
}

/// The variables that an `envFile` of these bytes sets, and what is wrong with it.
pub fn env_file(bytes: &[u8]) -> (Environment, usize) {
    let mut findings = Findings::default();
    let mut variables = Variables::default();
    let path = FilePath::new("file");
    env_file::add(bytes, path, &mut variables, &Path::Root, &mut findings);
    let mut environment = Environment::default();
    variables.apply(&mut environment);
    (environment, findings.error_count())
}

/// The number of a signal of this name.
///
/// # Errors
/// Which one may have been meant.
pub fn signal(name: &str) -> Result<i32, String> {
    stop_signal::parse(name)
}
