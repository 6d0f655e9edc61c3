use super::*;
use std::fs;
use std::os::unix::fs::symlink;
use std::sync::Mutex;
use tempfile::TempDir;

/// Files, and what was told of them.
struct Scene {
    folder: TempDir,
    registry: Registry,
    files: SecretFiles,
    metrics: SecretMetrics,
    told: Arc<Mutex<Vec<Vec<String>>>>,
}

/// A moment after everything these tests write.
fn later() -> Time {
    Time::from_millis(i64::MAX / 2)
}

impl Scene {
    /// Watches the named files of a folder together; content that holds `bad` is refused.
    fn of(names: &[&str]) -> Scene {
        let folder = TempDir::new().unwrap();
        let registry = Registry::new();
        let metrics = SecretMetrics::register(&registry).unwrap();
        let mut files = SecretFiles::default();
        let told = <Arc<Mutex<Vec<Vec<String>>>>>::default();
        let log = Arc::clone(&told);
        let paths: Vec<PathBuf> = names.iter().map(|name| folder.path().join(name)).collect();
        let paths: Vec<&Path> = paths.iter().map(PathBuf::as_path).collect();
        files.watch("the.key", &paths, move |texts| {
            let texts: Vec<String> = texts.iter().map(|text| text.expose_secret().to_owned()).collect();
            if texts.iter().any(|text| text.contains("bad")) {
                return Err("refused");
            }
            log.lock().unwrap().push(texts);
            Ok(())
        });
        Scene { folder, registry, files, metrics, told }
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::write(self.folder.path().join(name), content).unwrap();
    }

    /// What one look told.
    fn look(&mut self) -> Vec<Vec<String>> {
        self.files.look(&self.metrics, later());
        std::mem::take(&mut self.told.lock().unwrap())
    }

    fn count(&self, name: &str) -> u64 {
        let families = self.registry.gather();
        let family = families.iter().find(|family| family.name() == name);
        family.map_or(0, |family| family.get_metric()[0].get_counter().get_value() as u64)
    }
}

#[test]
fn each_new_content_is_told_once() {
    let mut scene = Scene::of(&["key"]);
    scene.write("key", "one\n");
    assert_eq!(scene.look(), [["one"]]);
    scene.write("key", "one");
    assert!(scene.look().is_empty(), "the line break is no part of it");
    scene.write("key", "two");
    assert_eq!(scene.look(), [["two"]]);
    assert!(scene.look().is_empty());
    assert_eq!(scene.count("argos_relay_secret_exchanges_total"), 1, "the first content is no exchange");
    assert_eq!(scene.count("argos_relay_secret_failures_total"), 0);
}

#[test]
fn a_swap_of_symbolic_links_is_seen_with_all_files_of_it() {
    // As Kubernetes mounts a secret: key -> ..data/key, ..data -> ..first; then ..data is renamed over.
    let mut scene = Scene::of(&["cert", "key"]);
    let root = scene.folder.path().to_owned();
    for version in ["first", "second"] {
        fs::create_dir(root.join(version)).unwrap();
        fs::write(root.join(version).join("cert"), format!("{version} certificate")).unwrap();
        fs::write(root.join(version).join("key"), format!("{version} key")).unwrap();
    }
    symlink("first", root.join("..data")).unwrap();
    for name in ["cert", "key"] {
        symlink(Path::new("..data").join(name), root.join(name)).unwrap();
    }
    assert_eq!(scene.look(), [["first certificate", "first key"]]);
    symlink("second", root.join("..data_tmp")).unwrap();
    fs::rename(root.join("..data_tmp"), root.join("..data")).unwrap();
    assert_eq!(scene.look(), [["second certificate", "second key"]]);
}

#[test]
fn what_is_of_no_use_leaves_the_old_content_and_is_counted() {
    let mut scene = Scene::of(&["key"]);
    scene.write("key", "good");
    scene.look();
    let path = scene.folder.path().join("key");
    let spoil: [(&str, &dyn Fn()); 5] = [
        ("refused", &|| fs::write(&path, "bad hush").unwrap()),
        ("is empty", &|| fs::write(&path, " \n").unwrap()),
        ("not UTF-8", &|| fs::write(&path, [0xff; 8]).unwrap()),
        ("larger than", &|| fs::write(&path, vec![b'x'; 70_000]).unwrap()),
        ("not found", &|| fs::remove_file(&path).unwrap()),
    ];
    for (number, (word, spoil)) in spoil.iter().enumerate() {
        spoil();
        assert!(scene.look().is_empty(), "{word}");
        let trouble = scene.files.0[0].trouble.clone().unwrap();
        assert!(trouble.contains(word) && !trouble.contains("hush"), "{trouble}");
        assert_eq!(scene.count("argos_relay_secret_failures_total"), number as u64 + 1);
    }
    scene.write("key", "good");
    assert!(scene.look().is_empty(), "it was in use all the time");
    assert_eq!(scene.files.0[0].trouble, None);
    scene.write("key", "better");
    assert_eq!(scene.look(), [["better"]]);
}

#[test]
fn the_age_is_that_of_the_content_in_use() {
    let mut scene = Scene::of(&["key"]);
    scene.write("key", "good");
    let hour_ago = std::time::SystemTime::UNIX_EPOCH + Duration::from_secs(1000);
    fs::File::options().write(true).open(scene.folder.path().join("key")).unwrap().set_modified(hour_ago).unwrap();
    let age = |scene: &Scene| {
        let families = scene.registry.gather();
        let family = families.iter().find(|family| family.name() == "argos_relay_secret_age_seconds").unwrap();
        let metric = &family.get_metric()[0];
        assert_eq!(metric.get_label()[0].value(), "the.key");
        metric.get_gauge().get_value() as i64
    };
    scene.files.look(&scene.metrics, Time::from_millis(4_600_000));
    assert_eq!(age(&scene), 3600);
    scene.write("key", "bad");
    scene.files.look(&scene.metrics, Time::from_millis(4_610_000));
    assert_eq!(age(&scene), 3610, "a content of no use is not the one in use");
}

#[tokio::test]
async fn it_looks_at_once_and_ends_when_told() {
    let scene = Scene::of(&["key"]);
    scene.write("key", "one");
    let stop = CancellationToken::new();
    let clock = Arc::new(reconciler::clock::SystemClock);
    let running = tokio::spawn(scene.files.run(scene.metrics, clock, Duration::from_hours(1), stop.clone()));
    while scene.told.lock().unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    stop.cancel();
    running.await.unwrap().unwrap();
    assert_eq!(*scene.told.lock().unwrap(), [["one"]]);
}
