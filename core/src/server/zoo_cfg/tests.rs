//! Tables of configurations: what is read, what is refused with which words, and what is only warned of.
#![allow(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::auth::DigestAlgorithm;
use crate::server::config::FourLetterWords;
use crate::server::quorum::MemberSettings;
use crate::storage::snapshot::Compression;
use proptest::prelude::*;

fn read_text(text: &str) -> Result<ServerConfig, ConfigError> {
    Draft::parse("zoo.cfg", text.as_bytes())?.finish(None, None)
}

fn read_as(server_id: i64, text: &str) -> Result<ServerConfig, ConfigError> {
    Draft::parse("zoo.cfg", text.as_bytes())?.finish(None, Some(server_id))
}

/// The file that every installation of the reference starts from.
#[test]
fn reads_the_sample_of_the_reference() {
    let config =
        read_text("tickTime=2000\ninitLimit=10\nsyncLimit=5\ndataDir=/tmp/zookeeper\nclientPort=2181\n").unwrap();
    let expected = ServerConfig {
        data_dir: "/tmp/zookeeper".into(),
        data_log_dir: "/tmp/zookeeper".into(),
        client_address: Some("0.0.0.0:2181".parse().unwrap()),
        init_limit_ticks: Some(10),
        sync_limit_ticks: Some(5),
        ..ServerConfig::default().with_tick_time_ms(2000)
    };
    assert_eq!(config, expected);
}

type Change = fn(&mut ServerConfig);

fn each_changes_only_its_own(table: &[(&str, Change)]) {
    let blank = read_text("dataDir=/d").unwrap();
    for (text, change) in table {
        let mut expected = blank.clone();
        change(&mut expected);
        assert_eq!(read_text(&format!("dataDir=/d\n{text}")).unwrap(), expected, "{text}");
    }
}

/// Each key that is acted on must be read into its own field: each row changes one field and nothing else.
#[test]
fn every_key_sets_its_own_field() {
    let table: &[(&str, Change)] = &[
        ("dataLogDir=/logs", |c| c.data_log_dir = "/logs".into()),
        ("clientPort=2182", |c| c.client_address = Some(([0, 0, 0, 0], 2182).into())),
        ("clientPort=2182\nclientPortAddress=127.0.0.1", |c| c.client_address = Some(([127, 0, 0, 1], 2182).into())),
        ("clientPort=2182\nclientPortAddress=[::1]", |c| c.client_address = Some("[::1]:2182".parse().unwrap())),
        ("clientPort=0", |_| ()),
        ("clientPortListenBacklog=-1", |_| ()),
        ("clientPortListenBacklog=100", |c| c.client_port_listen_backlog = Some(100)),
        ("tickTime=1000", |c| *c = c.clone().with_tick_time_ms(1000)),
        ("minSessionTimeout=-1", |_| ()),
        ("minSessionTimeout=5", |c| c.min_session_timeout_ms = 5),
        ("maxSessionTimeout=7000", |c| c.max_session_timeout_ms = 7000),
        ("maxClientCnxns=0", |c| c.max_client_cnxns = 0),
        ("maxCnxns=9", |c| c.max_cnxns = 9),
        ("initLimit=1", |c| c.init_limit_ticks = Some(1)),
        ("syncLimit=2", |c| c.sync_limit_ticks = Some(2)),
        ("electionAlg=3", |_| ()),
        ("autopurge.snapRetainCount=4", |c| c.autopurge_snap_retain_count = 4),
        ("autopurge.purgeInterval=1", |c| c.autopurge_purge_interval_ms = Some(3_600_000)),
        ("standaloneEnabled=False", |c| c.standalone_enabled = false),
        ("reconfigEnabled=TRUE", |c| c.reconfig_enabled = true),
        ("globalOutstandingLimit=7", |c| c.global_outstanding_limit = 7),
        ("preAllocSize=64", |c| c.pre_alloc_kb = 64),
        ("snapCount=3", |c| c.snap_count = 3),
        ("snapSizeLimitInKb=0", |c| c.snap_size_limit_kb = None),
        ("snapSizeLimitInKb=12", |c| c.snap_size_limit_kb = Some(12)),
        ("fsync.warningthresholdms=20", |c| c.fsync_warning_threshold_ms = 20),
        ("forceSync=no", |c| c.force_sync = false),
        ("4lw.commands.whitelist=stat, ruok", |c| c.four_letter_words = FourLetterWords::parse("stat,ruok")),
        ("skipACL=yes", |c| c.auth.skip_acl = true),
        ("extendedTypesEnabled=true", |c| c.extended_types_enabled = true),
        ("enforceQuota=true", |c| c.enforce_quota = true),
        ("closeSessionTxn.enabled=false", |c| c.close_session_txn_enabled = false),
        ("serializeLastProcessedZxid.enabled=true", |c| c.serialize_last_zxid = true),
        ("digest.enabled=false", |c| c.digest_enabled = false),
        ("snapshot.trust.empty=true", |c| c.snapshot_trust_empty = true),
        ("txnLogSizeLimitInKb=-1", |_| ()),
        ("txnLogSizeLimitInKb=5", |c| c.txn_log_size_limit_kb = Some(5)),
        ("snapshot.compression.method=", |_| ()),
        ("snapshot.compression.method=gz", |c| c.snapshot_compression = Some(Compression::Gzip)),
        ("snapshot.compression.method=snappy", |c| c.snapshot_compression = Some(Compression::Snappy)),
        ("datadir.autocreate=false", |c| c.datadir_autocreate = false),
        ("db.autocreate=false", |c| c.db_autocreate = false),
        ("DigestAuthenticationProvider.digestAlg=SHA-256", |c| c.auth.digest = Some(DigestAlgorithm::Sha256)),
        ("DigestAuthenticationProvider.enabled=false", |c| c.auth.digest = None),
        ("enforce.auth.schemes=digest", |_| ()),
        ("enforce.auth.enabled=true\nenforce.auth.schemes=digest, ip", |c| {
            c.auth.enforced_schemes = vec!["digest".to_owned(), "ip".to_owned()];
        }),
        ("nio.sessionlessCnxnTimeout=5", |c| c.sessionless_cnxn_timeout_ms = 5),
        ("DigestAuthenticationProvider.superDigest=super:D/InIHSb7yEEbrWz8b9l71RjZJU\\=", |c| {
            c.auth.super_digest = Some("super:D/InIHSb7yEEbrWz8b9l71RjZJU=".to_owned());
        }),
        ("jute.maxbuffer=0x400000", |c| c.jute_maxbuffer = 4 << 20),
        ("readonlymode.enabled=true", |c| c.read_only_mode_enabled = true),
        ("znode.container.maxPerMinute=7", |c| c.container_max_per_minute = 7),
        ("znode.container.maxNeverUsedIntervalMs=8", |c| c.container_max_never_used_ms = 8),
        ("znode.container.checkIntervalMs=10", |c| c.container_check_interval_ms = 10),
    ];
    each_changes_only_its_own(table);
}

#[test]
fn every_key_of_ensembles_sets_its_own_field() {
    each_changes_only_its_own(&[
        ("multiAddress.enabled=true", |c| c.quorum.multi_address = true),
        ("quorumListenOnAllIPs=true", |c| c.quorum.listen_on_all_ips = true),
        ("electionPortBindRetry=0", |c| c.quorum.bind_attempts = 0),
        ("cnxTimeout=7", |c| c.quorum.connect_timeout_ms = 7),
        ("connectToLearnerMasterLimit=0", |_| ()),
        ("connectToLearnerMasterLimit=8", |c| c.quorum.leader_connect_limit_ticks = Some(8)),
        ("fastleader.minNotificationInterval=9", |c| c.quorum.min_notification_ms = 9),
        ("fastleader.maxNotificationInterval=1000", |c| c.quorum.max_notification_ms = 1000),
        ("commitLogCount=600", |c| c.quorum.commit_log_count = 600),
        ("snapshotSizeFactor=0.5", |c| c.quorum.snapshot_size_factor = 0.5),
        ("snapshotSizeFactor=-1", |c| c.quorum.snapshot_size_factor = -1.0),
        ("forceSnapshotSync=true", |c| c.quorum.force_snapshot_sync = true),
        ("leader.maxConcurrentSnapSyncs=3", |c| c.quorum.snapshot_syncs_at_most = 3),
        ("leader.maxConcurrentDiffSyncs=4", |c| c.quorum.diff_syncs_at_most = 4),
        ("peerType=observer", |_| ()),
    ]);
}

/// Each row: a line of a file that is otherwise good, and words that the message must hold.
#[test]
fn a_bad_value_is_refused_by_file_line_key_and_what_is_allowed() {
    let table = [
        ("tickTime=0", "zoo.cfg:2: tickTime=0 is not allowed: expected a number from 1 to"),
        ("tickTime=fast", "zoo.cfg:2: tickTime=fast is not allowed: expected a number from 1 to"),
        ("clientPort=70000", "zoo.cfg:2: clientPort=70000 is not allowed: expected a number from 0 to 65535"),
        ("electionAlg=0", "expected 3"),
        ("standaloneEnabled=yes", "expected true or false"),
        ("forceSync=true", "expected yes or no"),
        ("minSessionTimeout=0", "or -1 for the default"),
        ("autopurge.purgeInterval=soon", "a number of hours, or one with a unit"),
        ("DigestAuthenticationProvider.superDigest=super", "user:base64(sha1(user:password))"),
        ("dataLogDir=", "zoo.cfg:2: dataLogDir= is not allowed: expected a value after the key"),
        ("DigestAuthenticationProvider.digestAlg=MD5", "expected SHA1, SHA-224, SHA-256"),
        ("znode.container.maxPerMinute=0", "a number from 1"),
        ("localSessionsEnabled=1", "expected true or false"),
        ("snapshotSizeFactor=big", "a decimal number"),
        ("peerType=leader", "participant or observer"),
        ("server.one=a:1:2", "a number after `server.`"),
        ("server.1=a:1", "zoo.cfg:2: server.1=a:1 is not allowed: expected host:quorumPort:electionPort"),
        ("group.1=a", "ids of servers between colons"),
        ("weight.1=-1", "a number from 0"),
        ("groups.1=1", "group.N or weight.N"),
        ("a=\\u12", "zoo.cfg:2: \\u must be followed by four"),
    ];
    for (line, words) in table {
        let message = read_text(&format!("dataDir=/d\n{line}")).unwrap_err().to_string();
        assert!(message.contains(words), "{line}: {message}");
    }
}

const LIMITS: &str = "initLimit=10\nsyncLimit=5\n";

#[test]
fn contradictions_are_refused() {
    let three = "server.1=a:1:2\nserver.2=b:1:2\nserver.3=c:1:2\n";
    let table = [
        ("clientPort=1".to_owned(), "dataDir is missing"),
        ("dataDir=/d\nminSessionTimeout=9\nmaxSessionTimeout=8".to_owned(), "must not exceed the maximum"),
        ("dataDir=/d\nminSessionTimeout=90000".to_owned(), "must not exceed the maximum"),
        ("dataDir=/d\nclientPortAddress=127.0.0.1".to_owned(), "clientPort is not"),
        ("dataDir=/d\nclientPort=1\nclientPortAddress=[::".to_owned(), "a name that resolves"),
        ("dataDir=/d\nserver.1=a:1:2\nserver.2=b:1:2:observer".to_owned(), "one participant and 1 observer"),
        ("dataDir=/d\nserver.2=b:1:2:observer".to_owned(), "somebody must vote"),
        ("dataDir=/d\nserver.1=a:1:2|b:1:2".to_owned(), "multiAddress.enabled=true"),
        ("dataDir=/d\nenforce.auth.enabled=true".to_owned(), "enforce.auth.schemes names no scheme"),
        ("dataDir=/d\nenforce.auth.enabled=true\nenforce.auth.schemes=digest,sasl".to_owned(), "names `sasl`, which"),
        (format!("dataDir=/d\n{three}"), "initLimit is missing"),
        (format!("dataDir=/d\n{three}initLimit=1"), "syncLimit is missing"),
        (format!("dataDir=/d\n{LIMITS}{three}"), "/d/myid is missing"),
        (format!("dataDir=/d\n{LIMITS}{three}group.1=1:2"), "server.3 is in 0 groups"),
        (format!("dataDir=/d\n{LIMITS}{three}group.1=1:2:3\ngroup.2=3"), "server.3 is in 2 groups"),
        (format!("dataDir=/d\n{LIMITS}{three}group.1=1:2:3:4"), "no server.4"),
        (format!("dataDir=/d\n{LIMITS}{three}group.1=1:2:3\nweight.9=1"), "no server.9"),
        (format!("dataDir=/d\n{LIMITS}{three}server.02=d:1:2"), "zoo.cfg:7: server.2 stands in line 5 already"),
        (format!("dataDir=/d\n{LIMITS}{three}server.2=d:1:2"), "zoo.cfg:7: server.2 stands in line 5 already"),
        (format!("dataDir=/d\n{LIMITS}{three}server.4=b:3:1"), "server.2 and server.4 both have b:1"),
        (
            format!("dataDir=/d\n{LIMITS}fastleader.maxNotificationInterval=1"),
            "fastleader.minNotificationInterval is 200",
        ),
    ];
    for (text, words) in table {
        let message = read_text(&text).unwrap_err().to_string();
        assert!(message.contains(words), "{text}: {message}");
    }
    let members = format!("dataDir=/d\n{LIMITS}server.255=a:1:2\nserver.2=b:1:2");
    let marked = read_as(255, &members).unwrap_err().to_string();
    assert!(marked.contains("says 255, which no member can be") && read_as(2, &members).is_ok(), "{marked}");
    for id in [-1, 256] {
        let outside = read_as(id, &format!("dataDir=/d\n{LIMITS}server.{id}=a:1:2\nserver.2=b:1:2")).unwrap_err();
        assert!(outside.to_string().contains("a number from 1 to 254"), "{outside}");
    }
    for taken in ["clientPort=1", "clientPort=2\nclientPortAddress=127.0.0.1"] {
        let text = format!("dataDir=/d\n{LIMITS}server.1=127.0.0.1:1:2\nserver.2=127.0.0.2:1:2\n{taken}");
        let clash = read_as(1, &text).unwrap_err().to_string();
        assert!(clash.contains("is also a port for members in server.1"), "{clash}");
    }
    let elsewhere = "server.1=127.0.0.1:1:2\nserver.2=b:1:2\nclientPort=1\nclientPortAddress=127.0.0.3";
    assert!(read_as(1, &format!("dataDir=/d\n{LIMITS}{elsewhere}")).is_ok());
    let stranger = read_as(9, &format!("dataDir=/d\n{LIMITS}{three}")).unwrap_err().to_string();
    assert!(stranger.contains("says 9, and there is no server.9"), "{stranger}");
}

#[test]
fn warnings_name_the_key_and_what_becomes_of_it() {
    let table = [
        (
            "localSessionsEnabled=true",
            "zoo.cfg:2: localSessionsEnabled: accepted, but this version does not act on it yet",
        ),
        ("observerMasterPort=2191", "what this version's ensembles do not do yet"),
        ("jvm.pause.monitor=true", "tunes the Java implementation"),
        ("ssl.keyStore.location=/k", "does not act on it yet"),
        ("autopurge.snapRetainCount=1", "1 is below the minimum: 3 is used"),
        ("snapCount=1", "1 is below the minimum: 2 is used"),
        ("ticktime=1", "did you mean `tickTime`?"),
        ("zookeeper.snapCount=1", "the key is written `snapCount`"),
        ("nonsense=1", "unknown key, ignored"),
        ("dataDir=/e", "zoo.cfg:1: dataDir: given again in line 2"),
    ];
    for (line, words) in table {
        let config = read_text(&format!("dataDir=/d\n{line}")).unwrap();
        let warnings: Vec<_> = config.warnings.iter().map(Warning::to_string).collect();
        assert!(warnings.len() == 1 && warnings[0].contains(words), "{line}: {warnings:?}");
    }
}

/// What the reference says of lists that it takes all the same.
#[test]
fn lists_of_servers_that_are_not_wise_are_warned_of() {
    let table = [
        ("server.1=a:1:2", Some("runs standalone")),
        ("server.1=a:1:2\nstandaloneEnabled=false", None),
        ("server.1=a:1:2\nserver.2=b:1:2", Some("two participants tolerate no failure")),
        ("server.1=a:1:2\nserver.2=b:1:2\nserver.3=c:1:2", None),
        ("server.1=a:1:2\nserver.2=b:1:2\nserver.3=c:1:2\nserver.4=d:1:2", Some("an odd number is better")),
        ("server.1=a:1:2\nserver.2=b:1:2\ngroup.1=1:2", None),
        ("server.1=a:1:2\nserver.2=b:1:2\nserver.3=c:1:2\npeerType=observer", Some("the one that counts")),
    ];
    for (text, words) in table {
        let config = read_as(1, &format!("dataDir=/d\n{LIMITS}{text}")).unwrap();
        let warnings: Vec<_> = config.warnings.iter().map(Warning::to_string).collect();
        match words {
            None => assert!(warnings.is_empty(), "{text}: {warnings:?}"),
            Some(words) => assert!(warnings.len() == 1 && warnings[0].contains(words), "{text}: {warnings:?}"),
        }
    }
}

#[test]
fn a_member_s_settings_follow_from_its_configuration() {
    let three = "server.1=a:1:2\nserver.2=b:1:2\nserver.3=c:1:2\n";
    let text = format!(
        "dataDir=/d\n{LIMITS}{three}tickTime=100\ncommitLogCount=600\ncnxTimeout=9\nforceSnapshotSync=true\n\
                        leader.maxConcurrentSnapSyncs=3\nleader.maxConcurrentDiffSyncs=4"
    );
    let member = MemberSettings::from_config(&read_as(2, &text).unwrap()).unwrap();
    assert_eq!(
        (member.zab.server_id, member.zab.tick_ms, member.zab.init_limit, member.zab.sync_limit),
        (2, 100, 10, 5)
    );
    assert!(member.zab.force_snapshot_sync && member.zab.reads_history);
    let off = MemberSettings::from_config(&read_as(2, &format!("{text}\nsnapshotSizeFactor=0")).unwrap()).unwrap();
    assert!(!off.zab.reads_history);
    assert_eq!((member.zab.snapshot_syncs_at_most, member.zab.diff_syncs_at_most), (3, 4));
    assert_eq!((member.zab.window_entries, member.zab.ensemble.members.len()), (600, 3));
    assert!(member.quorums.are_met(|id| id < 3) && !member.quorums.are_met(|id| id < 2));
    let sockets = member.sockets;
    assert_eq!((sockets.connect_timeout.as_millis(), sockets.leader_timeout.as_millis()), (9, 1000));
    assert_eq!((sockets.init_timeout.as_millis(), sockets.greeting_timeout.as_millis()), (1000, 500));
    assert!(sockets.queue_bytes > member.zab.window_bytes);
    assert!(MemberSettings::from_config(&read_as(1, "dataDir=/d\nserver.1=a:1:2").unwrap()).is_none());
}

#[test]
fn the_later_of_two_values_counts_even_when_the_earlier_is_bad() {
    assert_eq!(read_text("dataDir=/d\ntickTime=x\ntickTime=7").unwrap().tick_time_ms, 7);
}

#[test]
fn an_ensemble_is_one_by_its_participants_or_by_standalone_enabled() {
    let table = [
        ("", false),
        ("server.1=a:1:2", false),
        ("server.1=a:1:2\nstandaloneEnabled=false", true),
        ("server.1=a:1:2\nserver.2=b:1:2", true),
        ("server.1=a:1:2\nserver.2=b:1:2:observer\nstandaloneEnabled=false", true),
    ];
    for (text, distributed) in table {
        let config = read_as(1, &format!("dataDir=/d\n{LIMITS}{text}")).unwrap();
        assert_eq!(config.is_distributed(), distributed, "{text}");
    }
}

#[test]
fn the_client_address_may_stand_in_the_list_of_servers() {
    let list = "dataDir=/d\nserver.1=a:1:2;127.0.0.1:2185\n";
    let address = |text: &str| read_as(1, &format!("{list}{text}")).map(|config| config.client_address);
    assert_eq!(address("").unwrap(), Some(([127, 0, 0, 1], 2185).into()));
    assert_eq!(address("clientPort=2185\nclientPortAddress=127.0.0.1").unwrap(), Some(([127, 0, 0, 1], 2185).into()));
    assert!(address("clientPort=2181").unwrap_err().to_string().contains("they must agree"));
    assert_eq!(read_as(2, list).unwrap().client_address, None);
}

#[test]
fn load_reads_the_dynamic_file_and_myid() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    fs::write(path("myid"), "2\n").unwrap();
    fs::write(path("zoo.cfg.dynamic.100000000"), "server.1=a:1:2\nserver.2=b:1:2;127.0.0.1:2182\ngroup.1=1:2\n")
        .unwrap();
    let dynamic = format!("dynamicConfigFile={}", path("zoo.cfg.dynamic.100000000").display());
    let text = format!("dataDir={}\n{LIMITS}{dynamic}\n", dir.path().display());
    fs::write(path("zoo.cfg"), &text).unwrap();

    let config = load(&path("zoo.cfg")).unwrap();
    assert_eq!(config.server_id, Some(2));
    assert_eq!(config.client_address, Some(([127, 0, 0, 1], 2182).into()));
    let ensemble = config.ensemble.unwrap();
    assert_eq!((ensemble.version, ensemble.participant_count()), (0x1_0000_0000, 2));
    assert_eq!(ensemble.hierarchy.unwrap().groups[&1], [1, 2]);

    fs::write(path("zoo.cfg"), format!("{text}server.3=c:1:2\n")).unwrap();
    assert!(load(&path("zoo.cfg")).unwrap_err().to_string().contains("must then all stand in that file"));

    fs::write(path("zoo.cfg"), &text).unwrap();
    fs::write(path("zoo.cfg.dynamic.100000000"), "server.1=a:1:2\nversion=1\n").unwrap();
    assert!(load(&path("zoo.cfg")).unwrap_err().to_string().contains(":2: `version` does not belong"));

    fs::write(path("myid"), "two").unwrap();
    fs::write(path("zoo.cfg"), format!("dataDir={}", dir.path().display())).unwrap();
    assert!(load(&path("zoo.cfg")).unwrap_err().to_string().contains("myid:1: myid=two is not allowed"));
    assert!(load(&path("none.cfg")).unwrap_err().to_string().starts_with("cannot read"));
}

#[test]
fn positional_arguments_are_the_reference_s() {
    let args = |text: &str| ServerConfig::from_args(&text.split_whitespace().map(str::to_owned).collect::<Vec<_>>());
    assert_eq!(args("").unwrap(), ServerConfig::default());
    let config = args("2182 /no/such/dir 1000 5").unwrap();
    assert_eq!(config.client_address, Some(([0, 0, 0, 0], 2182).into()));
    assert_eq!((config.data_dir, config.max_client_cnxns), ("/no/such/dir".into(), 5));
    assert_eq!((config.tick_time_ms, config.max_session_timeout_ms), (1000, 20_000));
    assert!(args("x /d").unwrap_err().to_string().contains("argument 1: clientPort=x is not allowed"));
    assert!(args("2181 /d 0").unwrap_err().to_string().contains("argument 3: tickTime=0"));
    assert!(args("1 2 3 4 5").unwrap_err().to_string().contains("got 5 arguments"));
}

proptest! {
    #[test]
    fn never_panics(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Draft::parse("zoo.cfg", &bytes).and_then(|draft| draft.finish(None, None));
    }

    /// Keys that exist with values that may not fit them: every one is either read or refused.
    #[test]
    fn never_panics_on_known_keys(
        key in prop::sample::select(vec!["tickTime", "minSessionTimeout", "autopurge.purgeInterval", "server.1", "group.1",
            "weight.1", "jute.maxbuffer", "clientPort", "snapSizeLimitInKb", "znode.container.maxNeverUsedIntervalMs"]),
        value in "[-0-9xhms:;|\\[\\]. é]{0,24}",
    ) {
        let _ = read_text(&format!("dataDir=/d\n{key}={value}"));
    }
}
