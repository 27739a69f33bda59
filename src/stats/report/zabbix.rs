//! impstats' `format="zabbix"`: one JSON object with all others, in arrays by origin.

use super::{Round, json};
use crate::stats::Reading;

/// Appends the line.
pub fn write(round: &Round, out: &mut Vec<u8>) {
    let mut groups: Vec<(String, Vec<u8>)> = Vec::new();
    let mut add = |key: String, write: &dyn Fn(&mut Vec<u8>)| {
        let place = groups.iter().position(|(known, _)| *known == key).unwrap_or_else(|| {
            groups.push((key, Vec::new()));
            groups.len() - 1
        });
        if let Some((_, group)) = groups.get_mut(place) {
            if !group.is_empty() {
                group.push(b',');
            }
            write(group);
        }
    };
    for object in round.reference_objects() {
        add(key(object), &|out| json::write(object, out));
    }
    for sender in &round.senders {
        add("stats_impstats".into(), &|out| json::write_sender(sender, out));
    }
    out.extend_from_slice(format!("{{ \"timedate\": \"{}\"", round.date).as_bytes());
    for (key, group) in groups {
        out.extend_from_slice(format!(", \"{key}\": [").as_bytes());
        out.extend_from_slice(&group);
        out.push(b']');
    }
    out.push(b'}');
}

/// The array an object belongs to.
fn key(object: &Reading) -> String {
    let omkafka = b"omkafka";
    if object.origin == "core.action"
        && object.name.windows(omkafka.len()).any(|part| part == omkafka)
    {
        return "stats_omkafka_local".into();
    }
    let origin = if object.origin.is_empty() { "unknown" } else { object.origin };
    let key = format!("stats_{}", origin.replace('.', "_"));
    match origin {
        "imkafka" | "omkafka" | "imtcp" | "imudp" if object.name == origin.as_bytes() => {
            key + "_global"
        }
        "imkafka" | "omkafka" | "imtcp" | "imudp" => key + "_local",
        _ => key,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_grouped_by_origin() {
        let cases = [
            ("main Q", "core.queue", "stats_core_queue"),
            ("x", "", "stats_unknown"),
            ("imtcp", "imtcp", "stats_imtcp_global"),
            ("imtcp(514)", "imtcp", "stats_imtcp_local"),
            ("action-1-omkafka", "core.action", "stats_omkafka_local"),
            ("action-1-omfile", "core.action", "stats_core_action"),
        ];
        for (name, origin, expected) in cases {
            assert_eq!(key(&Reading::new(name, origin)), expected);
        }
    }

    #[test]
    fn groups_stand_in_the_order_of_their_first_object() {
        let object = |name: &str, origin| Reading::new(name, origin);
        let objects = vec![object("a", "o.1"), object("b", "o2"), object("c", "o.1")];
        let round = Round { objects, senders: Vec::new(), date: "d".into() };
        let mut out = Vec::new();
        write(&round, &mut out);
        assert_eq!(
            String::from_utf8_lossy(&out),
            "{ \"timedate\": \"d\", \"stats_o_1\": [{ \"name\": \"a\", \"origin\": \"o.1\" },\
             { \"name\": \"c\", \"origin\": \"o.1\" }], \"stats_o2\": [{ \"name\": \"b\", \
             \"origin\": \"o2\" }]}"
        );
    }
}
