//! Keys of `zoo.cfg` whose features an ensemble would lose, or whose members could not talk to each other, if this software
//! took the place of Apache's.

use super::obstacles::Weight::{self, Blocks, Warns};

/// A key in use, and what follows from it.
struct Feature {
    /// The key; a name that ends in `*` stands for all that begin with it.
    key: &'static str,
    /// Whether this value uses it.
    uses: fn(&str) -> bool,
    weight: Weight,
    what: &'static str,
    remedy: &'static str,
}

const fn on(value: &str) -> bool {
    value.eq_ignore_ascii_case("true")
}

const fn given(value: &str) -> bool {
    !value.is_empty()
}

fn positive(value: &str) -> bool {
    value.parse::<i64>().is_ok_and(|number| number > 0)
}

#[rustfmt::skip]
const FEATURES: &[Feature] = &[
    Feature { key: "sslQuorum", uses: on, weight: Blocks,
        what: "the members talk TLS to each other, which Menagerie does not",
        remedy: "go back to plain text first, as Apache's documentation describes: portUnification=true on all, then sslQuorum=false on all" },
    Feature { key: "portUnification", uses: on, weight: Warns,
        what: "members may still dial each other with TLS, which Menagerie does not",
        remedy: "make sure that sslQuorum is off on every member" },
    Feature { key: "quorum.auth.enableSasl", uses: on, weight: Blocks,
        what: "the members prove to each other who they are by SASL, which Menagerie does not",
        remedy: "switch it off in the reverse order of switching on: serverRequireSasl, learnerRequireSasl, enableSasl, each on all members; guard the ports by a firewall" },
    Feature { key: "secureClientPort", uses: positive, weight: Blocks,
        what: "clients connect with TLS, which Menagerie does not serve",
        remedy: "move the clients to clientPort, or put a TLS proxy before it" },
    Feature { key: "client.portUnification", uses: on, weight: Blocks,
        what: "clients may connect with TLS, which Menagerie does not serve",
        remedy: "move the clients to plain connections, or put a TLS proxy before the port" },
    Feature { key: "authProvider.*", uses: given, weight: Blocks,
        what: "clients prove who they are in a way that Menagerie does not know (it knows digest, ip and world)",
        remedy: "give the znodes that are guarded so access lists of digest or ip, and the clients such credentials" },
    Feature { key: "sessionRequireClientSASLAuth", uses: on, weight: Blocks,
        what: "clients must authenticate by SASL, which Menagerie does not know",
        remedy: "use enforce.auth.enabled with enforce.auth.schemes=digest" },
    Feature { key: "emulate353TTLNodes", uses: on, weight: Blocks,
        what: "znodes with a time to live are stored as 3.5.3 stored them, which Menagerie reads as sessions",
        remedy: "delete such znodes and switch it off" },
    Feature { key: "observerMasterPort", uses: positive, weight: Blocks,
        what: "observers may follow a follower, which a follower of Menagerie does not offer",
        remedy: "take observerMasterPort out, so that observers connect to the leader" },
    Feature { key: "localSessionsEnabled", uses: on, weight: Warns,
        what: "sessions are local to a member until they make an ephemeral znode; Menagerie makes all sessions global",
        remedy: "nothing; each connection of a client costs a write" },
    Feature { key: "audit.enable", uses: on, weight: Warns,
        what: "an audit log is kept, which Menagerie does not",
        remedy: "nothing, if you can do without; `menagerie log dump` tells all changes" },
    Feature { key: "metricsProvider.className", uses: given, weight: Warns,
        what: "metrics are served over HTTP, which Menagerie does not",
        remedy: "let the monitoring ask `mntr`, whose names are the same" },
    Feature { key: "admin.enableServer", uses: on, weight: Warns,
        what: "commands are served over HTTP, which Menagerie does not",
        remedy: "use the four-letter words, which say the same" },
];

/// What the keys of one file mean for the members: how grave, which key, what it is, and what to do.
pub(super) fn in_the_way(
    keys: &[(String, String)],
) -> impl Iterator<Item = (Weight, String, &'static str, &'static str)> {
    keys.iter().filter_map(|(key, value)| {
        let feature = FEATURES.iter().find(|feature| names(feature.key, key) && (feature.uses)(value))?;
        Some((feature.weight, format!("{key}={value}"), feature.what, feature.remedy))
    })
}

/// Whether a key is among those that are looked at here, so that it is not reported twice.
pub(super) fn is_known(key: &str) -> bool {
    FEATURES.iter().any(|feature| names(feature.key, key))
}

fn names(pattern: &str, key: &str) -> bool {
    pattern.strip_suffix('*').map_or(pattern == key, |start| key.starts_with(start))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_in_use_stands_in_the_way() {
        let key = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        let keys = [
            key("sslQuorum", "false"),
            key("sslQuorum", "TRUE"),
            key("secureClientPort", "2281"),
            key("authProvider.1", "org.apache.zookeeper.server.auth.SASLAuthenticationProvider"),
            key("tickTime", "2000"),
        ];
        let found: Vec<_> = in_the_way(&keys).map(|(weight, key, ..)| (weight, key)).collect();
        assert_eq!(found.len(), 3, "{found:?}");
        assert_eq!(found.first(), Some(&(Blocks, "sslQuorum=TRUE".to_owned())));
        assert!(is_known("authProvider.sasl") && !is_known("tickTime"));
    }
}
