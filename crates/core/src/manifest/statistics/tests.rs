//! Checks the checksum against values printed by Python 3.11, and against Python itself where it is
//! installed.

use std::process::Command;

use super::*;

fn statistics(roles: &[(Role, u64)], fields: &[&str], feature_length: Option<u64>) -> Statistics {
    Statistics {
        num_documents: roles.iter().map(|(_, count)| count).sum(),
        role_distribution: roles.iter().cloned().collect(),
        schema_fields: fields.iter().map(|&f| f.to_owned()).collect(),
        feature_length,
        ..Statistics::default()
    }
}

fn string(role: &str) -> Role {
    Role::String(role.to_owned())
}

fn double(role: f64) -> Role {
    Role::Double(role.to_bits())
}

/// What is hashed, with the Python expression that builds the same statistics.
fn cases() -> Vec<(Statistics, &'static str)> {
    vec![
        (
            statistics(
                &[(string("train"), 2), (string("test"), 1)],
                &["_id", "role"],
                Some(12),
            ),
            "({'train': 2, 'test': 1}, ['_id', 'role'], 12)",
        ),
        (statistics(&[], &[], None), "({}, [], None)"),
        (
            statistics(&[(Role::Null, 3)], &["a"], None),
            "({None: 3}, ['a'], None)",
        ),
        (
            statistics(&[(Role::Null, 3), (string("train"), 1)], &["a"], None),
            "({None: 3, 'train': 1}, ['a'], None)",
        ),
        (
            statistics(
                &[
                    (string("it's"), 1),
                    (string("say \"hi\""), 2),
                    (string("both ' and \""), 3),
                    (string("back\\slash"), 4),
                    (string("caf\u{e9} \u{1F600} \u{4e2d}"), 5),
                    (string("\u{0}\u{1f}\u{7f}\u{85}\u{a0}\u{ad}\n\r\t"), 6),
                    (
                        string("\u{200b}\u{2028}\u{e000}\u{10ffff}\u{378}\u{e0001}"),
                        7,
                    ),
                    (string(""), 8),
                ],
                &["a'b", "\u{e9}", "\u{1F972}"],
                Some(0),
            ),
            "({\"it's\": 1, 'say \"hi\"': 2, 'both \\' and \"': 3, 'back\\\\slash': 4, \
             'caf\\u00e9 \\U0001F600 \\u4e2d': 5, '\\0\\x1f\\x7f\\x85\\xa0\\xad\\n\\r\\t': 6, \
             '\\u200b\\u2028\\ue000\\U0010ffff\\u0378\\U000e0001': 7, '': 8}, \
             [\"a'b\", '\\xe9', '\\U0001f972'], 0)",
        ),
        (
            statistics(
                &[
                    (Role::Int(2), 1),
                    (Role::Int(-10), 2),
                    (Role::Bool(true), 3),
                    (double(1.5), 4),
                    (double(1e16), 5),
                    (double(1e-5), 6),
                    (double(-0.0), 7),
                    (double(f64::INFINITY), 8),
                    (double(123_456_789.125), 9),
                    (Role::Int(i64::MAX), 10),
                    (double(9_223_372_036_854_775_808.0), 11),
                    (double(1e300), 12),
                ],
                &["a"],
                Some(1),
            ),
            "({2: 1, -10: 2, True: 3, 1.5: 4, 1e16: 5, 1e-5: 6, -0.0: 7, float('inf'): 8, \
             123456789.125: 9, 2**63-1: 10, 2.0**63: 11, 1e300: 12}, ['a'], 1)",
        ),
        (
            statistics(&[(Role::Int(1), 1), (string("1"), 1)], &["a"], Some(1)),
            "({1: 1, '1': 1}, ['a'], 1)",
        ),
        (
            statistics(&[(double(f64::NAN), 1)], &["a"], Some(1)),
            "({float('nan'): 1}, ['a'], 1)",
        ),
    ]
}

/// Recorded from Python 3.11, in the order of [`cases`].
const RECORDED: [&str; 8] = [
    "md5:d115e6366bba39184bc6666a067b5b85",
    "md5:35b1508807a58f98add18799dad1e784",
    "md5:4e36fbeccb6c568d8424424a7fb0aad8",
    "unknown",
    "md5:82aeadd51c4776e511a1a7dc1d9bbfdd",
    "md5:5d92130933b5ba80c075291d84837f12",
    "unknown",
    "md5:7521f777801a2c89f98747d525438b4a",
];

const FORMULA: &str = "
import hashlib
def checksum(roles, fields, length):
    try:
        parts = [str(sum(roles.values())), str(fields), str(length), str(sorted(roles.items()))]
        return 'md5:' + hashlib.md5(':'.join(parts).encode()).hexdigest()
    except Exception:
        return 'unknown'
";

#[test]
fn the_checksum_matches_values_recorded_from_python() {
    let checksums: Vec<_> = cases().iter().map(|(s, _)| s.checksum()).collect();
    assert_eq!(checksums, RECORDED);
}

#[test]
fn the_checksum_matches_an_installed_python() {
    let calls: String = cases()
        .iter()
        .map(|(_, python)| format!("print(checksum(*{python}))\n"))
        .collect();
    let Ok(output) = Command::new("python3")
        .arg("-c")
        .arg(format!("{FORMULA}{calls}"))
        .output()
    else {
        return lob_testkit::skipped("there is no Python");
    };
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let printed = String::from_utf8(output.stdout).unwrap();
    let checksums: Vec<_> = cases().iter().map(|(s, _)| s.checksum()).collect();
    assert_eq!(checksums, printed.lines().collect::<Vec<_>>());
}

#[test]
fn roles_that_python_cannot_hold_or_sort_make_the_checksum_unknown() {
    for roles in [
        vec![(Role::Other("date".to_owned()), 1)],
        vec![(Role::Bool(true), 1), (Role::Int(1), 1)],
        vec![(double(f64::NAN), 1), (Role::Int(1), 1)],
    ] {
        assert_eq!(statistics(&roles, &[], None).checksum(), UNKNOWN_CHECKSUM);
    }
}

#[test]
fn the_statistics_of_a_legacy_run_yield_its_recorded_checksums() {
    let fields = [
        "_id",
        "features",
        "fold_id",
        "fold_type",
        "role",
        "timestamp",
        "timestamp_str",
    ];
    for (roles, recorded) in [
        ([17, 16, 15, 12], "md5:bced56d41f71f97144aa2e3270218d60"),
        ([15, 15, 19, 11], "md5:04f220d36b795f6e9c3632942150bb63"),
        ([11, 20, 10, 19], "md5:6d319d0c3f33cac6add468d04feaea97"),
    ] {
        let names = ["train", "train_warmup", "validation", "test"];
        let roles: Vec<_> = names.iter().map(|&n| string(n)).zip(roles).collect();
        assert_eq!(statistics(&roles, &fields, Some(12)).checksum(), recorded);
    }
}

#[test]
fn statistics_of_parts_add_up_to_the_whole_and_survive_json() {
    let mut first = statistics(&[(double(f64::NAN), 1), (string("b"), 1)], &["x"], Some(3));
    let second = statistics(&[(string("b"), 2), (Role::Null, 1)], &["a", "x"], None);
    first.append(second);
    let roles = [(double(f64::NAN), 1), (string("b"), 3), (Role::Null, 1)];
    assert_eq!(first, statistics(&roles, &["a", "x"], Some(3)));
    let json = serde_json::to_string(&first).unwrap();
    assert_eq!(serde_json::from_str::<Statistics>(&json).unwrap(), first);
}
