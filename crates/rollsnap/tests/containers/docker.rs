//! The `docker` command line: networks and containers that are gone when their value is.

use std::io::{Read as _, pipe};
use std::process::{Command, Stdio};

/// Marks what these tests make, so that what a killed run left behind can be found.
const LABEL: &str = "rollsnap.e2e=1";
/// What docker-compose marks its own with.
pub(crate) const PROJECT: &str = "rollsnap-e2e";

/// Runs `docker` and gives what it said on standard output.
///
/// # Panics
/// When it ends with an error, with what it said of it.
pub(crate) fn docker<S: AsRef<str>>(arguments: impl IntoIterator<Item = S>) -> String {
    try_docker(arguments).unwrap_or_else(|said| panic!("{said}"))
}

/// Like [`docker`], for commands that may fail.
pub(crate) fn try_docker<S: AsRef<str>>(
    arguments: impl IntoIterator<Item = S>,
) -> Result<String, String> {
    let arguments: Vec<String> = arguments.into_iter().map(|a| a.as_ref().into()).collect();
    let output = Command::new("docker")
        .args(&arguments)
        .env("DOCKER_BUILDKIT", "0")
        .stdin(Stdio::null())
        .output()
        .expect("docker is installed");
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    } else {
        Err(format!(
            "docker {}: {}",
            arguments.join(" "),
            String::from_utf8_lossy(&output.stderr)
        ))
    }
}

/// Removes what earlier runs could not.
pub(crate) fn remove_leftovers() {
    for label in [LABEL, &format!("com.docker.compose.project={PROJECT}")] {
        let filter = format!("label={label}");
        for container in docker(["ps", "--all", "--quiet", "--filter", &filter]).lines() {
            docker(["rm", "--force", "--volumes", container]);
        }
        docker(["network", "prune", "--force", "--filter", &filter]);
    }
}

/// A network that nothing outside can reach, nor be reached from.
#[derive(Debug)]
pub(crate) struct Network(String);

impl Network {
    pub(crate) fn create(name: &str) -> Self {
        docker(["network", "create", "--internal", "--label", LABEL, name]);
        Self(name.to_owned())
    }

    pub(crate) fn name(&self) -> &str {
        &self.0
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        // Best effort: the next run removes leftovers.
        let _ = try_docker(["network", "rm", &self.0]);
    }
}

/// A container, running or not.
#[derive(Debug)]
pub(crate) struct Container(String);

impl Container {
    /// `docker run --detach` with these options, image and command.
    pub(crate) fn run(
        name: &str,
        network: &Network,
        options: &[String],
        image: &str,
        command: &[String],
    ) -> Self {
        let mut arguments: Vec<String> = ["run", "--detach", "--label", LABEL, "--name", name]
            .map(String::from)
            .to_vec();
        arguments.extend(["--network".to_owned(), network.name().to_owned()]);
        arguments.extend_from_slice(options);
        arguments.push(image.to_owned());
        arguments.extend_from_slice(command);
        docker(arguments);
        Self(name.to_owned())
    }

    /// One that something else has started.
    pub(crate) fn named(name: &str) -> Self {
        Self(name.to_owned())
    }

    /// `docker VERB [OPTION...] NAME`.
    pub(crate) fn tell(&self, words: &[&str]) -> String {
        docker(words.iter().copied().chain([self.0.as_str()]))
    }

    /// Runs a command in it.
    pub(crate) fn try_exec(&self, command: &[&str]) -> Result<String, String> {
        try_docker(["exec", &self.0].iter().chain(command))
    }

    /// What `docker logs` prints, both streams in their order.
    pub(crate) fn log(&self) -> String {
        let (mut reader, writer) = pipe().expect("a pipe");
        let mut command = Command::new("docker");
        command
            .args(["logs", &self.0])
            .stdin(Stdio::null())
            .stdout(writer.try_clone().expect("a second end of the pipe"))
            .stderr(writer);
        let mut child = command.spawn().expect("docker is installed");
        // It holds the writing ends, and the reading would not end before they are closed.
        drop(command);
        let mut text = String::new();
        reader.read_to_string(&mut text).expect("the log is text");
        child.wait().expect("docker logs ends");
        text
    }

    /// What `docker logs` prints of standard error alone.
    pub(crate) fn errors(&self) -> String {
        let output = Command::new("docker")
            .args(["logs", &self.0])
            .stdin(Stdio::null())
            .output()
            .expect("docker is installed");
        String::from_utf8_lossy(&output.stderr).into_owned()
    }

    /// One value of `docker inspect`, by a template such as `.State.Pid`.
    pub(crate) fn inspect(&self, template: &str) -> String {
        docker([
            "inspect",
            "--format",
            &format!("{{{{{template}}}}}"),
            &self.0,
        ])
    }

    /// Everything that `docker inspect` has to say.
    pub(crate) fn inspect_all(&self) -> String {
        docker(["inspect", &self.0])
    }

    pub(crate) fn is_running(&self) -> bool {
        self.inspect(".State.Running") == "true"
    }

    /// The exit code of the last run.
    pub(crate) fn exit_code(&self) -> i32 {
        self.inspect(".State.ExitCode").parse().expect("a number")
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        // Best effort: the next run removes leftovers.
        let _ = try_docker(["rm", "--force", "--volumes", &self.0]);
    }
}
