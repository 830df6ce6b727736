//! The commands that stop and start members, from templates with `{id}` and `{config}`.

use std::path::Path;

use super::answers::Kind;

/// The four templates.
#[derive(Clone, Debug, clap::Args)]
pub struct Commands {
    /// Stops an Apache member of this host
    #[arg(long, value_name = "COMMAND", default_value = "systemctl stop zookeeper")]
    pub stop_apache: String,
    /// Starts an Apache member of this host
    #[arg(long, value_name = "COMMAND", default_value = "systemctl start zookeeper")]
    pub start_apache: String,
    /// Stops a Menagerie member of this host
    #[arg(long, value_name = "COMMAND", default_value = "systemctl stop menagerie")]
    pub stop_menagerie: String,
    /// Starts a Menagerie member of this host
    #[arg(long, value_name = "COMMAND", default_value = "systemctl start menagerie")]
    pub start_menagerie: String,
}

impl Commands {
    /// What stops a member of that kind.
    pub(super) fn stop(&self, kind: Kind, id: i64, config: Option<&Path>) -> String {
        let template = match kind {
            Kind::Apache => &self.stop_apache,
            Kind::Menagerie => &self.stop_menagerie,
        };
        fill(template, id, config)
    }

    /// What starts it.
    pub(super) fn start(&self, kind: Kind, id: i64, config: Option<&Path>) -> String {
        let template = match kind {
            Kind::Apache => &self.start_apache,
            Kind::Menagerie => &self.start_menagerie,
        };
        fill(template, id, config)
    }
}

fn fill(template: &str, id: i64, config: Option<&Path>) -> String {
    let config = config.map_or_else(|| "zoo.cfg".to_owned(), |file| for_shell(&file.display().to_string()));
    template.replace("{id}", &id.to_string()).replace("{config}", &config)
}

/// One word of a shell, whatever is in it.
pub(super) fn for_shell(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-+:@%,=".contains(&byte);
    if !text.is_empty() && text.bytes().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_one_word_of_the_shell() {
        let filled = fill("run {id} {config}", 3, Some(Path::new("/etc/zoo keeper's/zoo.cfg")));
        assert_eq!(filled, r"run 3 '/etc/zoo keeper'\''s/zoo.cfg'");
        assert_eq!(fill("stop zk@{id}", 3, None), "stop zk@3");
        assert_eq!(fill("{config}", 3, Some(Path::new("/etc/zoo.cfg"))), "/etc/zoo.cfg");
    }
}
