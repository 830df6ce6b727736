//! What an ensemble shall be, before it is started: which software, roles and settings.

use std::fmt::Write;
use std::io;

use super::place::{Place, Role};
use super::{Ensemble, Member};
use crate::software::Software;

/// A plan of members 1 to N. By default: `tickTime=500`, generous limits, all voting, on loopback, all four-letter words
/// allowed, no admin server.
#[derive(Clone, Debug)]
#[must_use = "nothing is started before `start`"]
pub struct Plan {
    pub(super) members: Vec<(Software, Place)>,
    /// For all members (`None`) or one; the last one that names a key wins.
    settings: Vec<(Option<i64>, String, String)>,
    dynamic: bool,
}

impl Plan {
    /// One member of each software given.
    pub fn of(softwares: &[Software]) -> io::Result<Self> {
        let mut members = Vec::new();
        for (software, id) in softwares.iter().zip(1..) {
            members.push((software.clone(), Place::on_loopback(id)?));
        }
        let mut plan = Plan { members, settings: Vec::new(), dynamic: false };
        for (key, value) in [
            ("tickTime", "500"),
            ("initLimit", "60"),
            ("syncLimit", "20"),
            ("4lw.commands.whitelist", "*"),
            ("admin.enableServer", "false"),
            ("maxClientCnxns", "0"),
            ("maxSessionTimeout", "60000"),
        ] {
            plan = plan.set(key, value);
        }
        Ok(plan)
    }

    /// `key=value` in every member's `zoo.cfg`.
    pub fn set(mut self, key: &str, value: &str) -> Self {
        self.settings.push((None, key.to_owned(), value.to_string()));
        self
    }

    /// `key=value` in one member's `zoo.cfg`.
    pub fn set_for(mut self, id: i64, key: &str, value: &str) -> Self {
        self.settings.push((Some(id), key.to_owned(), value.to_string()));
        self
    }

    /// Makes one member an observer.
    pub fn observer(self, id: i64) -> Self {
        self.place(id, |place| place.role = Role::Observer)
    }

    /// Changes where one member lives.
    pub fn place(mut self, id: i64, change: impl FnOnce(&mut Place)) -> Self {
        if let Some((_, place)) = self.members.iter_mut().find(|(_, place)| place.id == id) {
            change(place);
        }
        self
    }

    /// Lists the members in a dynamic configuration file, with their client addresses, and allows `reconfig` to everybody.
    pub fn dynamic(mut self) -> Self {
        self.dynamic = true;
        self.set("reconfigEnabled", "true").set("skipACL", "yes")
    }

    /// Starts all members and returns when all serve and one of them leads.
    pub fn start(self) -> io::Result<Ensemble> {
        let mut ensemble = self.prepare()?;
        ensemble.start_all()?;
        ensemble.wait_until_all_serve()?;
        Ok(ensemble)
    }

    /// Writes all directories and starts nothing.
    pub fn prepare(self) -> io::Result<Ensemble> {
        let home = tempfile::Builder::new().prefix("menagerie-ensemble-").tempdir()?;
        let places: Vec<Place> = self.members.iter().map(|(_, place)| place.clone()).collect();
        let mut members = Vec::new();
        for (software, place) in &self.members {
            members.push(self.member(home.path(), software.clone(), place.clone(), &places)?);
        }
        Ok(Ensemble { plan: self, home: Some(home), members })
    }

    /// The member at `place`, whose configuration lists `all`.
    pub(super) fn member(
        &self,
        parent: &std::path::Path,
        software: Software,
        place: Place,
        all: &[Place],
    ) -> io::Result<Member> {
        let home = parent.join(place.id.to_string());
        let mut text = format!("dataDir={}\n", home.join("data").display());
        let applies = |setting: &&(Option<i64>, String, String)| setting.0.is_none_or(|id| id == place.id);
        let mut settings: Vec<(&str, &str)> = Vec::new();
        for (_, key, value) in self.settings.iter().filter(applies) {
            settings.retain(|(set, _)| set != key);
            settings.push((key, value));
        }
        let mut line = |key: &str, value: &str| writeln!(text, "{key}={value}").map_err(io::Error::other);
        for (key, value) in settings {
            line(key, value)?;
        }
        let mut dynamic = String::new();
        if self.dynamic {
            line("dynamicConfigFile", &home.join("members.dynamic").display().to_string())?;
            for other in all {
                writeln!(dynamic, "server.{}={}", other.id, other.dynamic_value()).map_err(io::Error::other)?;
            }
        } else {
            line("clientPort", &place.client.to_string())?;
            line("clientPortAddress", &place.host.to_string())?;
            for other in all {
                line(&format!("server.{}", other.id), &other.server_value())?;
            }
        }
        if place.role == Role::Observer {
            line("peerType", "observer")?;
        }
        let member = Member::new(software, place, home, &text)?;
        if self.dynamic {
            std::fs::write(member.home().join("members.dynamic"), dynamic)?;
        }
        Ok(member)
    }
}
