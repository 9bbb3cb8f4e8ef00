//! Times of the day, zones and tiers.

use super::*;

#[test]
fn times_of_the_day_take_the_place_of_an_interval() {
    let text = "nodes: []\nservices:\n  etcd:\n    backup_config:\n      cron: \"0 */6 * * *\"\n      zone: Europe/Berlin\n      retention: 8\n";
    let machine = Machine::config(text);
    assert_eq!(
        machine.rhythm(),
        "0 */6 * * * (Europe/Berlin) 8 (file c.yml line 5, file c.yml line 7)"
    );
    let without_zone = Machine::config("cron: 0 3 * * *\n");
    assert_eq!(
        without_zone.rhythm(),
        "0 3 * * * (UTC) 6 (file c.yml line 1, default)"
    );
    let flag = Machine::config("interval_hours: 2\n").flag(Id::Cron, "5 4 * * *");
    assert_eq!(flag.rhythm(), "5 4 * * * (UTC) 6 (flag --cron, default)");
    let interval = Machine::config("cron: 0 3 * * *\n").flag(Id::IntervalHours, "2");
    assert_eq!(
        interval.rhythm(),
        "7200s 6 (flag --interval-hours, default)"
    );
}

#[test]
fn one_layer_says_one_of_the_two() {
    let both = Machine::config("interval_hours: 2\ncron: 0 3 * * *\n").complaints();
    assert_eq!(
        both,
        "c.yml:2: cron: is given beside interval_hours (file c.yml line 1); keep cron or interval_hours"
    );
    let flags = Machine::default()
        .flag(Id::Creation, "1h")
        .flag(Id::Cron, "0 3 * * *");
    assert_eq!(
        flags.complaints(),
        "--cron: is given beside creation (flag --creation); keep cron or creation"
    );
}

#[test]
fn what_is_no_time_of_the_day_is_told_where_it_stands() {
    for (text, words) in [
        (
            "cron: 0 3 * *",
            "c.yml:1: cron: cannot be read as five fields of cron",
        ),
        (
            "cron: 0 0 31 2 *",
            "c.yml:1: cron: tells a time that does not come; write one that does",
        ),
        (
            "cron: 0 3 * * *\nzone: Europe/Berlim",
            "c.yml:2: zone: is \"Europe/Berlim\", of which no zone is known; write a name",
        ),
        (
            "retention_tiers: dayly=7",
            "c.yml:1: retention_tiers: has \"dayly=7\"; did you mean daily?",
        ),
        ("cron: 0 3 1 * *\nretention: 24h", "c.yml:2: retention: "),
        (
            "backup_config: {retention_tiers: daily=7}\nretention: 24h",
            "c.yml:2: retention: is 24h0m0s, an age, but retention_tiers is given too",
        ),
    ] {
        let complaints = Machine::config(text).complaints();
        assert!(complaints.starts_with(words), "{text}: {complaints}");
    }
}

#[test]
fn tiers_stand_beside_the_newest() {
    for (text, rhythm) in [
        (
            "retention_tiers: daily=7,weekly=4",
            "43200s 6+daily=7,weekly=4 (default, default)",
        ),
        (
            "retention: 3\nretention_tiers: [hourly=24, monthly=12]",
            "43200s 3+hourly=24,monthly=12 (default, file c.yml line 1)",
        ),
        (
            "creation: 5m\nbackup_config: {retention_tiers: daily=2}",
            "300s 6+daily=2 (file c.yml line 1, default)",
        ),
    ] {
        assert_eq!(Machine::config(text).rhythm(), rhythm, "{text}");
    }
    let flag = Machine::default().flag(Id::RetentionTiers, "daily=7");
    let report = flag.settings().report();
    let row = report.iter().find(|row| row.name == "retention-tiers");
    let row = row.map(|row| (row.value.as_str(), row.origin.as_str()));
    assert_eq!(row, Some(("daily=7", "flag --retention-tiers")));
}
