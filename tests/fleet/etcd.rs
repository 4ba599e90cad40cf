//! What etcd must do beyond: members that die and hang, lines that are cut, certificates, a past thrown away.

use super::*;
use crate::cluster::{Authority, Cluster, Line, MEMBERS, Node, alone, denied, port};
use precedent::fleet::store::{Etcd, EtcdAccess};

/// What a call may take beyond its bound on a machine that is busy.
const SLACK: Duration = Duration::from_millis(1500);

#[test]
fn ten_thousand_keys_are_listed() {
    let cluster = shared();
    let (store, at) = (cluster.connect("node"), "/ten-thousand/");
    let began = Instant::now();
    fill(&store, at, 10_000);
    let written = began.elapsed();
    let began = Instant::now();
    let listing = store.list(at).unwrap();
    println!("10000 keys of 4 KiB written in {written:?}, listed in {:?}", began.elapsed());
    check_filled(&listing.entries, at, 10_000);
    // Also who is far behind gets them.
    let before = listing.entries[0].changed - 1;
    let mut changes = Vec::new();
    let mut after = before;
    while changes.len() < 10_000 {
        let more = store.wait(at, after, Duration::from_secs(5)).unwrap();
        assert!(!more.changes.is_empty(), "{} of 10000", changes.len());
        (after, changes) = (more.revision, [changes, more.changes].concat());
    }
    assert_eq!(changes.len(), 10_000);
}

#[test]
fn a_past_thrown_away_is_forgotten_and_a_quiet_wait_goes_on() {
    let cluster = Cluster::start();
    let store = cluster.connect("node");
    let first = put(&store, "/quiet/key", "1");
    let quiet = store.wait("/quiet/", first, Duration::from_millis(500)).unwrap();
    assert_eq!((quiet.changes, quiet.revision), (Vec::new(), first));
    // Much happens elsewhere, and the past is thrown away.
    let mut last = 0;
    for one in 0..50 {
        last = put(&store, "/busy/key", &one.to_string());
    }
    cluster.administer(&["compact", &last.to_string()]);
    assert_eq!(
        cluster.connect("node").wait("/quiet/", first, Duration::from_secs(1)),
        Err(StoreError::Forgotten)
    );
    // The watch that was open all the time has missed nothing.
    let quiet = store.wait("/quiet/", first, Duration::from_millis(500)).unwrap();
    assert_eq!(quiet.changes, []);
    let next = put(&store, "/quiet/next", "1");
    let changes = store.wait("/quiet/", quiet.revision, Duration::from_secs(5)).unwrap();
    assert_eq!((changes.changes.len(), changes.revision), (1, next));
    // Who is told to list anew can go on from there.
    let listing = store.list("/quiet/").unwrap();
    assert_eq!(listing.entries.len(), 2);
    let changes = cluster.connect("node").wait("/quiet/", listing.revision, Duration::ZERO);
    assert_eq!(changes.unwrap().changes, []);
}

/// Writes numbered keys until told to stop; what was acknowledged, and when.
fn write_on(store: &Etcd, at: &str, stop: &AtomicBool) -> Vec<(usize, Instant)> {
    let mut acknowledged = Vec::new();
    let mut number = 0;
    while !stop.load(Ordering::SeqCst) {
        let key = format!("{at}{number:05}");
        match store
            .commit(Transaction::default().when(Condition::Absent(key.clone())).put(key, "1"))
        {
            Ok(Committed::Done(_)) => acknowledged.push((number, Instant::now())),
            Ok(Committed::Moved) => panic!("{number} was written before"),
            // It may be there or not; it is not written again.
            Err(StoreError::Unreachable(_)) => {}
            Err(error) => panic!("{error:?}"),
        }
        number += 1;
    }
    acknowledged
}

#[test]
fn the_leader_is_killed_and_nothing_acknowledged_is_lost() {
    let _alone = alone();
    let cluster = Cluster::start();
    let at = "/writes/";
    let start = put(&cluster.connect("node"), "/writes/", "");
    let stop = AtomicBool::new(false);
    let (acknowledged, seen) = thread::scope(|scope| {
        let writer = scope.spawn(|| write_on(&cluster.connect("node"), at, &stop));
        let watcher = scope.spawn(|| {
            let store = cluster.connect("node");
            let (mut after, mut seen) = (start, Vec::new());
            while !stop.load(Ordering::SeqCst) {
                match store.wait(at, after, Duration::from_millis(500)) {
                    Ok(changes) => {
                        after = changes.revision;
                        seen.extend(changes.changes);
                    }
                    Err(StoreError::Unreachable(_)) => {}
                    Err(error) => panic!("{error:?}"),
                }
            }
            let last = store.wait(at, after, Duration::from_secs(2)).unwrap();
            seen.extend(last.changes);
            seen
        });
        let mut kills = Vec::new();
        for _ in 0..2 {
            thread::sleep(Duration::from_secs(2));
            let leader = cluster.leader();
            kills.push(Instant::now());
            cluster.kill(leader);
            thread::sleep(Duration::from_secs(6));
            cluster.run(leader);
            cluster.wait_until_well();
        }
        stop.store(true, Ordering::SeqCst);
        let acknowledged = writer.join().unwrap();
        for kill in kills {
            // One that was on its way may still be acknowledged: what counts is the pause.
            let after = acknowledged.windows(2).filter(|two| two[1].1 > kill);
            let after = after.take_while(|two| two[0].1 < kill + Duration::from_secs(5));
            let pause = after.map(|two| two[1].1 - two[0].1.max(kill)).max().unwrap();
            println!("leader killed: the longest time without a write {pause:?}");
            assert!(pause < Duration::from_secs(8));
        }
        (acknowledged, watcher.join().unwrap())
    });
    let listing = cluster.connect("node").list(at).unwrap();
    let there: BTreeSet<_> = listing.entries.iter().map(|entry| entry.key.clone()).collect();
    for (number, _) in &acknowledged {
        assert!(there.contains(&format!("{at}{number:05}")), "{number} is lost");
    }
    // Who waits has seen all of it, once, in order.
    let seen: Vec<_> = seen
        .into_iter()
        .map(|change| match change {
            Change::Put(entry) => entry.key,
            Change::Removed(key) => panic!("{key}"),
        })
        .collect();
    let expected: Vec<_> = there.into_iter().filter(|key| key != at).collect();
    assert_eq!(seen, expected);
    println!("{} acknowledged, {} there, all seen", acknowledged.len(), expected.len());
}

/// Every call, and what it gave within its bound.
fn every_call(store: &Etcd, bound: Duration) -> Vec<StoreError> {
    let calls: [(&str, &dyn Fn() -> Option<StoreError>); 7] = [
        ("get", &|| store.get("/key").err()),
        ("list", &|| store.list("/").err()),
        ("commit", &|| store.commit(Transaction::default().put("/key", "2")).err()),
        ("wait", &|| store.wait("/", 1, Duration::from_secs(1)).err()),
        ("lease", &|| store.lease(Duration::from_secs(2)).err()),
        ("keep", &|| store.keep(LeaseId(1)).err()),
        ("end", &|| store.end(LeaseId(1)).err()),
    ];
    let errors = calls.into_iter().filter_map(|(name, call)| {
        let began = Instant::now();
        let error = call();
        let took = began.elapsed();
        assert!(took < bound + SLACK, "{name} took {took:?}: {error:?}");
        println!("{name}: {error:?} after {took:?}");
        error
    });
    errors.collect()
}

fn unreachable(errors: &[StoreError]) {
    assert_eq!(errors.len(), 7);
    for error in errors {
        assert!(matches!(error, StoreError::Unreachable(_)) && error.is_retryable(), "{error:?}");
    }
}

#[test]
fn without_a_majority_nothing_is_done_and_all_goes_on_after() {
    let _alone = alone();
    let cluster = Cluster::start();
    let bound = Duration::from_secs(3);
    let store = Etcd::connect(&EtcdAccess { time: bound, ..cluster.access("node") }).unwrap();
    put(&store, "/key", "1");

    println!("two of three hang:");
    cluster.hang(0);
    cluster.hang(1);
    // The last needs a moment to see that it is alone.
    thread::sleep(Duration::from_secs(3));
    unreachable(&every_call(&store, bound));
    cluster.go_on(0);
    cluster.go_on(1);
    recovers(&store, "2 s after");

    println!("all are killed:");
    (0..MEMBERS).for_each(|member| cluster.kill(member));
    unreachable(&every_call(&store, bound));
    (0..MEMBERS).for_each(|member| cluster.run(member));
    recovers(&store, "restart");
    assert!(store.get("/key").unwrap().is_some());
}

fn recovers(store: &Etcd, what: &str) {
    let began = Instant::now();
    while store.commit(Transaction::default().put("/key", "3")).is_err() {
        assert!(began.elapsed() < Duration::from_secs(30), "it does not recover");
    }
    println!("{what}: the first write after {:?}", began.elapsed());
}

#[test]
fn a_dead_or_silent_endpoint_is_passed_over() {
    let _alone = alone();
    let cluster = Cluster::start();
    let own = cluster.access("node");
    // Nobody listens there; there somebody listens who says nothing; there the line goes dead.
    let nobody = format!("https://127.0.0.1:{}", port());
    let silent = std::net::TcpListener::bind(("127.0.0.1", port())).unwrap();
    let silent = format!("https://{}", silent.local_addr().unwrap());
    let line = Line::to(cluster.port(0));
    let time = Duration::from_secs(6);
    for (what, first) in [("dead", nobody), ("silent", silent)] {
        let endpoints = vec![first, cluster.endpoint(1)];
        let store = Etcd::connect(&EtcdAccess { endpoints, time, ..own.clone() }).unwrap();
        let took: Vec<_> = (0..5)
            .map(|one| {
                let began = Instant::now();
                put(&store, "/key", &one.to_string());
                began.elapsed()
            })
            .collect();
        println!("first endpoint {what}: writes took {took:?}");
        assert!(took[0] < time + SLACK);
        assert!(took[1..].iter().all(|took| *took < Duration::from_secs(1)));
    }

    let endpoints = vec![line.endpoint(), cluster.endpoint(1)];
    let store = Etcd::connect(&EtcdAccess { endpoints, time, ..own.clone() }).unwrap();
    let after = put(&store, "/key", "through the line");
    store.wait("/", after, Duration::ZERO).unwrap();
    line.go_dead();
    thread::sleep(Duration::from_millis(1200));
    let began = Instant::now();
    // It was known not to answer for a while: it is asked before it is written to.
    let next = put(&store, "/key", "past it");
    println!("line dead: the first write after {:?}", began.elapsed());
    assert!(began.elapsed() < time);
    // Who waited on the line gets to know of it in the end.
    let began = Instant::now();
    let mut at = after;
    while at < next {
        assert!(began.elapsed() < Duration::from_secs(30), "the change is not seen");
        at = store.wait("/", at, Duration::from_secs(5)).unwrap().revision;
    }
    println!("line dead: a wait on it saw the change after {:?}", began.elapsed());
}

#[test]
fn a_node_that_is_cut_off_is_back_when_the_line_is() {
    let _alone = alone();
    let cluster = Cluster::start();
    let line = Line::to(cluster.port(0));
    let time = Duration::from_secs(2);
    let endpoints = vec![line.endpoint()];
    let store = Etcd::connect(&EtcdAccess { endpoints, time, ..cluster.access("node") }).unwrap();
    let mut after = put(&store, "/key", "1");
    for cut in [Line::cut, Line::go_dead] {
        cut(&line);
        thread::sleep(Duration::from_millis(1200));
        unreachable(&every_call(&store, time));
        let missed = put(&cluster.connect("other"), "/key", "2");
        line.heal();
        let began = Instant::now();
        recovers(&store, "line healed");
        let changes = store.wait("/", after, Duration::from_secs(5)).unwrap();
        assert!(
            changes
                .changes
                .iter()
                .any(|change| matches!(change, Change::Put(entry) if entry.changed == missed))
        );
        println!("healed: the change that it missed was seen after {:?}", began.elapsed());
        after = store.list("/").unwrap().revision;
    }
}

#[test]
fn a_write_without_an_answer_is_not_repeated() {
    let _alone = alone();
    let cluster = Cluster::start();
    let line = Line::to(cluster.port(0));
    let time = Duration::from_secs(4);
    let endpoints = vec![line.endpoint(), cluster.endpoint(1), cluster.endpoint(2)];
    let store = Etcd::connect(&EtcdAccess { endpoints, time, ..cluster.access("node") }).unwrap();
    put(&store, "/key", "1");
    // Within the second in which it counts as a member that answers.
    line.go_dead();
    let began = Instant::now();
    let error = store.commit(Transaction::default().put("/key", "2")).unwrap_err();
    assert!(matches!(error, StoreError::Unreachable(_)), "{error:?}");
    assert!(began.elapsed() < time + SLACK);
    // The next goes elsewhere at once.
    let began = Instant::now();
    put(&store, "/key", "3");
    assert!(began.elapsed() < time);
    println!("after a write without an answer: the next after {:?}", began.elapsed());
    line.heal();
    // What was on the way then is written now, or never. It is not written twice.
    thread::sleep(Duration::from_secs(1));
    let listing = store.wait("/key", 1, Duration::from_secs(1)).unwrap();
    let twos = listing
        .changes
        .iter()
        .filter(|change| matches!(change, Change::Put(entry) if entry.value == b"2"));
    assert!(twos.count() <= 1);
}

#[test]
fn who_is_not_known_is_told_so() {
    let cluster = shared();
    let foreign = Authority::new(cluster.folder(), "foreign");
    let time = Duration::from_secs(3);
    let own = EtcdAccess { time, ..cluster.access("node") };
    let paper = foreign.paper("node");
    let cases = [
        ("wrong CA", EtcdAccess { ca: Some(foreign.ca()), ..own.clone() }, "certificate"),
        (
            "certificate of another CA",
            EtcdAccess {
                certificate: Some(paper.certificate),
                key: Some(paper.key),
                ..own.clone()
            },
            "certificate",
        ),
        (
            "no certificate",
            EtcdAccess { certificate: None, key: None, ..own.clone() },
            "certificate",
        ),
    ];
    for (what, access, word) in cases {
        println!("{what}:");
        let errors = every_call(&Etcd::connect(&access).unwrap(), time);
        assert_eq!(errors.len(), 7);
        for error in errors {
            assert!(
                matches!(error, StoreError::Unreachable(_) | StoreError::Denied(_)),
                "{what}: {error:?}"
            );
            assert!(error.to_string().to_lowercase().contains(word), "{what}: {error}");
        }
    }
}

#[test]
fn a_node_does_what_its_part_wants_and_no_more() {
    let cluster = Cluster::start();
    let nodes = [
        Node { name: "leader", leads: true },
        Node { name: "one", leads: false },
        Node { name: "two", leads: false },
    ];
    cluster.tell_apart("home", &nodes);
    let at = |what: &str| format!("/precedent/home/{what}");
    let (leader, one) = (cluster.connect("leader"), cluster.connect("one"));

    put(&one, &at("reports/one"), "report");
    let lease = one.lease(Duration::from_secs(60)).unwrap();
    let alive = Transaction::default().put_under(at("alive/one"), "", Some(lease));
    let after = done(one.commit(alive.when(Condition::Absent(at("alive/one")))));
    assert_eq!(one.list(&at("reports/")).unwrap().entries.len(), 1);
    put(&one, &at("sealed/two/id"), "sealed");
    put(&one, &at("sealed/one/id"), "sealed");
    done(one.commit(Transaction::default().remove(at("sealed/one/id"))));
    for (store, key) in [
        (&one, "guards/renew%2Fc"),
        (&leader, "guards/rotate%2Fc"),
        (&one, "renewals/c"),
        (&one, "progress/one/c"),
        (&leader, "leader"),
        (&leader, "generation"),
        (&leader, "rotations/c"),
    ] {
        let transaction = Transaction::default().when(Condition::Absent(at(key))).put(at(key), "1");
        done(store.commit(transaction));
        assert_eq!(value(store, &at(key)).as_deref(), Some("1"));
    }
    for key in ["leader", "rotations/c", "progress/one/c"] {
        assert_eq!(value(&one, &at(key)).as_deref(), Some("1"));
    }
    done(leader.commit(Transaction::default().remove(at("progress/one/c"))));
    put(&leader, &at("assignments/one/"), "do");
    assert_eq!(value(&one, &at("assignments/one/")).as_deref(), Some("do"));
    assert_eq!(
        one.wait(&at("assignments/one/"), after, Duration::from_secs(5)).unwrap().changes.len(),
        1
    );
    assert_eq!(one.keep(lease), Ok(true));

    let write =
        |store: &Etcd, key: &str| store.commit(Transaction::default().put(at(key), "x")).err();
    let began = Instant::now();
    for error in [
        write(&one, "reports/two"),
        write(&one, "alive/two"),
        write(&one, "assignments/one/"),
        write(&one, "leader"),
        write(&one, "generation"),
        write(&one, "rotations/c"),
        write(&one, "guards/rotate%2Fc"),
        write(&one, "progress/two/c"),
        write(&one, "elsewhere"),
        one.commit(Transaction::default().put("/precedent/away/leader", "x")).err(),
        one.get(&at("generation")).err(),
        one.get(&at("sealed/two/id")).err(),
        leader.get(&at("sealed/one/id")).err(),
        one.list("/").err(),
        one.wait(&at("sealed/"), after, Duration::from_secs(5)).err(),
        // Nobody has heard of it, though its certificate is right.
        cluster.connect("stranger").get(&at("leader")).err(),
        cluster.connect("stranger").commit(Transaction::default().put(at("leader"), "x")).err(),
    ] {
        let error = error.expect("it may not");
        assert!(denied(&error) && !error.is_retryable(), "{error:?}");
    }
    println!("17 denials in {:?}: {}", began.elapsed(), write(&one, "elsewhere").unwrap());
    // All of it, where one part is forbidden.
    let both = Transaction::default().put(at("reports/one"), "new").put(at("reports/two"), "x");
    assert!(denied(&one.commit(both).unwrap_err()));
    assert_eq!(value(&one, &at("reports/one")).as_deref(), Some("report"));
}

#[test]
fn access_that_makes_no_sense_says_which_file() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::TempDir::new().unwrap();
    let authority = Authority::new(folder.path(), "authority");
    let paper = authority.paper("node");
    let other = authority.paper("other");
    let own = EtcdAccess {
        endpoints: vec!["https://127.0.0.1:1".to_owned()],
        ca: Some(authority.ca()),
        certificate: Some(paper.certificate.clone()),
        key: Some(paper.key.clone()),
        time: Duration::from_secs(1),
    };
    assert!(Etcd::connect(&own).is_ok());
    let missing = folder.path().join("missing.pem");
    let garbage = folder.path().join("garbage.pem");
    let hollow = folder.path().join("hollow.pem");
    let open = folder.path().join("open.key");
    std::fs::write(&garbage, "canary-garbage").unwrap();
    let pem = "-----BEGIN CERTIFICATE-----\nY2FuYXJ5\n-----END CERTIFICATE-----\n";
    std::fs::write(&hollow, pem).unwrap();
    std::fs::copy(&paper.key, &open).unwrap();
    std::fs::set_permissions(&garbage, PermissionsExt::from_mode(0o600)).unwrap();
    std::fs::set_permissions(&open, PermissionsExt::from_mode(0o640)).unwrap();
    let shown = |path: &std::path::Path| path.display().to_string();
    let some = |path: &std::path::Path| Some(path.to_owned());
    let cases = [
        (EtcdAccess { ca: some(&missing), ..own.clone() }, shown(&missing)),
        (EtcdAccess { ca: some(&garbage), ..own.clone() }, shown(&garbage)),
        (EtcdAccess { ca: some(&hollow), ..own.clone() }, shown(&hollow)),
        (EtcdAccess { ca: some(folder.path()), ..own.clone() }, shown(folder.path())),
        (EtcdAccess { certificate: some(&missing), ..own.clone() }, shown(&missing)),
        (EtcdAccess { certificate: some(&garbage), ..own.clone() }, shown(&garbage)),
        (EtcdAccess { certificate: some(&hollow), ..own.clone() }, shown(&hollow)),
        (EtcdAccess { certificate: some(&paper.key), ..own.clone() }, shown(&paper.key)),
        (EtcdAccess { key: some(&missing), ..own.clone() }, shown(&missing)),
        (EtcdAccess { key: some(&garbage), ..own.clone() }, shown(&garbage)),
        (EtcdAccess { key: some(&open), ..own.clone() }, format!("`chmod 600 {}`", shown(&open))),
        (EtcdAccess { key: some(&other.key), ..own.clone() }, shown(&other.key)),
        (EtcdAccess { key: None, ..own.clone() }, "private key".to_owned()),
        (EtcdAccess { certificate: None, ..own.clone() }, "certificate".to_owned()),
        (EtcdAccess { ca: None, ..own.clone() }, "vouches".to_owned()),
        (EtcdAccess { endpoints: Vec::new(), ..own.clone() }, "endpoint".to_owned()),
        (
            EtcdAccess { endpoints: vec!["127.0.0.1:1".to_owned()], ..own.clone() },
            "https".to_owned(),
        ),
        (
            EtcdAccess { endpoints: vec!["http://127.0.0.1:1".to_owned()], ..own.clone() },
            "https".to_owned(),
        ),
        (EtcdAccess { endpoints: vec!["https://a b".to_owned()], ..own.clone() }, "a b".to_owned()),
        (
            EtcdAccess { endpoints: vec!["https://u:canary-word@h:1".to_owned()], ..own.clone() },
            "user".to_owned(),
        ),
    ];
    let secret = std::fs::read_to_string(&paper.key).unwrap();
    let secret = secret.lines().nth(1).unwrap();
    for (access, word) in cases {
        let error = Etcd::connect(&access).unwrap_err();
        let text = format!("{error} {error:?}");
        println!("{error}");
        assert!(matches!(error, StoreError::Access(_)) && !error.is_retryable(), "{error:?}");
        assert!(text.contains(&word), "{word}: {text}");
        assert!(!text.contains(secret) && !text.contains("canary"), "{text}");
    }
}

#[test]
fn a_thread_of_another_runtime_may_call() {
    let cluster = shared();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let store = cluster.connect("node");
        put(&store, "/runtime/key", "1");
        let after = store.list("/runtime/").unwrap().revision;
        store.wait("/runtime/", after, Duration::ZERO).unwrap();
        assert!(!format!("{store:?}").contains("BEGIN"));
    });
}

#[test]
fn waits_of_many_do_not_stand_in_one_anothers_way() {
    let cluster = shared();
    let store = Arc::new(cluster.connect("node"));
    let after = put(&*store, "/many/start", "1");
    let (told, seen) = mpsc::channel();
    let waiting: Vec<_> = (0..20)
        .map(|one| {
            let (store, told) = (store.clone(), Mutex::new(told.clone()));
            thread::spawn(move || {
                let key = format!("/many/{}", one % 10);
                let changes = store.wait(&key, after, Duration::from_secs(20)).unwrap();
                told.lock().unwrap().send(changes.changes.len()).unwrap();
            })
        })
        .collect();
    let began = Instant::now();
    for one in 0..10 {
        put(&*store, &format!("/many/{one}"), "1");
    }
    waiting.into_iter().for_each(|one| one.join().unwrap());
    assert!(began.elapsed() < Duration::from_secs(10));
    assert_eq!(seen.try_iter().sum::<usize>(), 20);
}
