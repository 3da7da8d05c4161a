//! The body of `GET /status` (SPEC §11).
//!
//! The supervisor fills in what is true now; this only knows how it looks.

use std::net::IpAddr;

/// What `GET /status` shows: the jobs in the order of the configuration, those
/// that a reload added or replaced behind the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// The supervisor's version.
    pub version: &'static str,
    /// The jobs without a port.
    pub jobs: Vec<JobStatus>,
    /// The jobs with a port, and telemetry itself if it is advertised.
    pub services: Vec<ServiceStatus>,
    /// The names of the watched services.
    pub watches: Vec<String>,
}

/// A job without a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobStatus {
    /// The job's name.
    pub name: String,
    /// A status word of SPEC §7.
    pub status: &'static str,
}

/// A job with a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceStatus {
    /// The job's name.
    pub name: String,
    /// The address under which it is advertised.
    pub address: IpAddr,
    /// The port under which it is advertised.
    pub port: u16,
    /// A status word of SPEC §7.
    pub status: &'static str,
}

impl Status {
    /// The `Content-Type` of the body.
    pub const CONTENT_TYPE: &'static str = "application/json";

    /// The body, one line.
    ///
    /// # Errors
    /// Never for text; the serializer just could.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        let jobs = self.jobs.iter().map(JobStatus::to_json);
        let services = self.services.iter().map(ServiceStatus::to_json);
        let watches = self.watches.iter().map(|name| quoted(name));
        Ok([
            "{\"Version\":",
            &quoted(self.version)?,
            ",\"Jobs\":[",
            &jobs.collect::<Result<Vec<_>, _>>()?.join(","),
            "],\"Services\":[",
            &services.collect::<Result<Vec<_>, _>>()?.join(","),
            "],\"Watches\":[",
            &watches.collect::<Result<Vec<_>, _>>()?.join(","),
            "]}\n",
        ]
        .concat())
    }
}

impl JobStatus {
    fn to_json(&self) -> Result<String, serde_json::Error> {
        let (name, status) = (quoted(&self.name)?, self.status);
        Ok(format!("{{\"Name\":{name},\"Status\":\"{status}\"}}"))
    }
}

impl ServiceStatus {
    fn to_json(&self) -> Result<String, serde_json::Error> {
        let (name, address, port) = (quoted(&self.name)?, self.address, self.port);
        let status = self.status;
        Ok(format!(
            "{{\"Name\":{name},\"Address\":\"{address}\",\"Port\":{port},\"Status\":\"{status}\"}}"
        ))
    }
}

fn quoted(text: &str) -> Result<String, serde_json::Error> {
    serde_json::to_string(text)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn the_body_is_what_the_original_served() {
        let status = Status {
            version: "4.0.0",
            jobs: vec![JobStatus {
                name: "set \"up\"".into(),
                status: "completed",
            }],
            services: vec![ServiceStatus {
                name: "app".into(),
                address: IpAddr::from([192, 168, 1, 2]),
                port: 8000,
                status: "healthy",
            }],
            watches: vec!["backend".into()],
        };
        assert_eq!(
            status.to_json().unwrap(),
            concat!(
                r#"{"Version":"4.0.0","Jobs":[{"Name":"set \"up\"","Status":"completed"}],"#,
                r#""Services":[{"Name":"app","Address":"192.168.1.2","Port":8000,"#,
                r#""Status":"healthy"}],"Watches":["backend"]}"#,
                "\n"
            )
        );
    }

    #[test]
    fn nothing_configured_is_empty_lists() {
        let status = Status {
            version: "4.0.0",
            jobs: vec![],
            services: vec![],
            watches: vec![],
        };
        let json = "{\"Version\":\"4.0.0\",\"Jobs\":[],\"Services\":[],\"Watches\":[]}\n";
        assert_eq!(status.to_json().unwrap(), json);
    }
}
