//! JSON objects in the order in which they are written, for people who read
//! them as they are.

/// An object in the making.
#[derive(Debug, Default)]
pub(super) struct Object(String);

impl Object {
    /// One more key with what is JSON already.
    pub(super) fn raw(mut self, key: &str, json: &str) -> Self {
        self.0.push(if self.0.is_empty() { '{' } else { ',' });
        self.0.push('"');
        self.0.push_str(key);
        self.0.push_str("\":");
        self.0.push_str(json);
        self
    }

    pub(super) fn text(self, key: &str, text: &str) -> Self {
        let json = quoted(text);
        self.raw(key, &json)
    }

    /// A text, or null.
    pub(super) fn optional_text(self, key: &str, text: Option<&str>) -> Self {
        match text {
            Some(text) => self.text(key, text),
            None => self.raw(key, NULL),
        }
    }

    pub(super) fn bool(self, key: &str, value: bool) -> Self {
        self.raw(key, if value { "true" } else { "false" })
    }

    /// A number, or null.
    pub(super) fn number(self, key: &str, value: Option<impl Into<i128>>) -> Self {
        match value {
            Some(value) => self.raw(key, &value.into().to_string()),
            None => self.raw(key, NULL),
        }
    }

    /// A time in seconds, to the millisecond.
    pub(super) fn seconds(self, key: &str, time: std::time::Duration) -> Self {
        let milliseconds = time.as_millis();
        let (seconds, milliseconds) = (milliseconds / 1000, milliseconds % 1000);
        self.raw(key, &format!("{seconds}.{milliseconds:03}"))
    }

    /// An object, or null.
    pub(super) fn object(self, key: &str, object: Option<Self>) -> Self {
        match object {
            Some(object) => self.raw(key, &object.finish()),
            None => self.raw(key, NULL),
        }
    }

    /// A list of objects.
    pub(super) fn list(self, key: &str, objects: impl Iterator<Item = Self>) -> Self {
        let objects: Vec<String> = objects.map(Self::finish).collect();
        self.raw(key, &format!("[{}]", objects.join(",")))
    }

    pub(super) fn finish(mut self) -> String {
        if self.0.is_empty() {
            self.0.push('{');
        }
        self.0.push('}');
        self.0
    }
}

const NULL: &str = "null";

/// A string of JSON.
pub(super) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
