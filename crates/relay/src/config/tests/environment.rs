//! Overrides by environment variables.

use super::*;

#[test]
fn the_environment_overrides_the_file() {
    let loaded = load_with(
        MINIMAL,
        &[
            ("ARGOS_RELAY__DRAIN_TIMEOUT", "7s"),
            ("ARGOS_RELAY__KAFKA__GROUP_ID", "12"),
            ("ARGOS_RELAY__KAFKA__PARTITIONS", "24"),
            ("ARGOS_RELAY__KAFKA__PROPERTIES__SASL_USERNAME", "relay"),
            ("ARGOS_RELAY__KAFKA__TOPICS__EVENTS", "other"),
            ("ARGOS_RELAY__INGEST__TRUSTED_PROXIES", "10.0.0.0/8, 192.0.2.7"),
            ("ARGOS_RELAY__PROJECTS__0__API_KEY", "from-the-environment"),
            ("ARGOS_RELAY__PROJECTS__0__REQUESTS_PER_SECOND", "2.5"),
            ("ARGOS_RELAY__PROJECTS__0__RECHECKS__LADDER", "[\"1s\", \"2s\"]"),
            ("ARGOS_RELAY__PROJECTS__0__SWEEPS__RECENT", "{ every = \"1h\" }"),
            ("ARGOS_RELAY__PROJECTS__0__WEBHOOK__UNAUTHENTICATED", "true"),
            ("ARGOS_RELAY__PROJECTS__1__ID", "beta"),
            ("ARGOS_RELAY__PROJECTS__1__API_KEY", "true"),
            ("ARGOS_RELAY__PROJECTS__1__WEBHOOK__SOURCE_IP", "192.0.2.7"),
            ("ARGOS_RELAY_UNRELATED", "x"),
        ],
    );
    let config = loaded.unwrap().config;
    assert_eq!(config.drain_timeout, Duration::from_secs(7));
    assert_eq!((config.kafka.group_id.as_str(), config.kafka.partitions), ("12", 24));
    assert_eq!(config.kafka.properties.iter().collect::<Vec<_>>(), [("sasl.username", "relay")]);
    assert_eq!(config.kafka.topics.events, "other");
    assert_eq!(config.ingest.trusted_proxies.len(), 2);
    let [acme, beta] = config.projects.as_slice() else { panic!("two projects") };
    assert_eq!(acme.api_key.wrapped()[0].expose_secret(), "from-the-environment");
    assert!((acme.requests_per_second - 2.5).abs() < f64::EPSILON);
    assert_eq!(acme.rechecks.ladder.len(), 2);
    assert_eq!(acme.sweeps.recent.every, Duration::from_hours(1));
    assert_eq!(beta.api_key.wrapped()[0].expose_secret(), "true");
    assert_eq!(beta.webhook.source_ip.as_ref().unwrap().len(), 1);
}

#[test]
fn mistakes_in_the_environment_name_the_variable() {
    let rows = [
        ("ARGOS_RELAY__KAFKA__PARTITIONS", "many", "kafka.partitions (from ARGOS_RELAY__KAFKA__PARTITIONS): expected"),
        (
            "ARGOS_RELAY__KAFKA__GROUPID",
            "x",
            "kafka.groupid (from ARGOS_RELAY__KAFKA__GROUPID): unknown key; did you mean `group_id`?",
        ),
        (
            "ARGOS_RELAY__INGEST__TRUSTED_PROXIES",
            "x",
            "ingest.trusted_proxies[0] (from ARGOS_RELAY__INGEST__TRUSTED_PROXIES): expected",
        ),
        ("ARGOS_RELAY__PROJECTS__2__ID", "x", "ARGOS_RELAY__PROJECTS__2__ID: leaves a gap"),
        ("ARGOS_RELAY__PROJECTS__ID", "x", "ARGOS_RELAY__PROJECTS__ID: needs a number"),
        ("ARGOS_RELAY__KAFKA__GROUP_ID__X", "x", "ARGOS_RELAY__KAFKA__GROUP_ID__X: goes on below"),
        ("ARGOS_RELAY__KAFKA____X", "x", "ARGOS_RELAY__KAFKA____X: names no key"),
        ("ARGOS_RELAY__", "x", "ARGOS_RELAY__: names no key"),
        ("ARGOS_RELAY__KAFKA__PROPERTIES__ENABLE_IDEMPOTENCE", "0", "kafka.properties.enable.idempotence (from"),
        ("ARGOS_RELAY__PROJECTS__0__API_KEY_FILE", "x", "projects[0].api_key: give either"),
    ];
    let text = MINIMAL.replace("[kafka]", "[kafka]\ngroup_id = 'g'");
    for (variable, value, expected) in rows {
        let errors = load_with(&text, &[(variable, value)]).unwrap_err();
        assert_eq!(errors.len(), 1, "{variable}: {errors:?}");
        assert!(errors[0].contains(expected), "{variable}: {errors:?}");
    }
}
