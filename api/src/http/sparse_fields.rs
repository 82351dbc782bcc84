//! `?fields=a,b.c`: the chosen fields of an item, or of each row.

use serde_json::{Map, Value};

/// The value with only these fields; nested ones by path.
pub(crate) fn select(value: &Value, paths: &[Vec<String>]) -> Value {
    match value {
        Value::Array(rows) => rows.iter().map(|row| select(row, paths)).collect(),
        Value::Object(fields) => {
            let mut chosen = Map::new();
            for (name, inner) in fields {
                let matching: Vec<&[String]> = (paths.iter())
                    .filter(|path| path.first() == Some(name))
                    .map(|path| &path[1..])
                    .collect();
                if matching.is_empty() {
                    continue;
                }
                let whole = matching.iter().any(|rest| rest.is_empty());
                let rest: Vec<Vec<String>> = matching.iter().map(|rest| rest.to_vec()).collect();
                let kept = if whole { inner.clone() } else { select(inner, &rest) };
                chosen.insert(name.clone(), kept);
            }
            Value::Object(chosen)
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn chosen_fields_stay_in_rows_and_below() {
        let rows = json!([{"id": 1, "summary": {"pnl": "2", "fees": "3"}, "name": "x"}]);
        let paths = vec![vec!["id".to_owned()], vec!["summary".to_owned(), "pnl".to_owned()]];
        assert_eq!(select(&rows, &paths), json!([{"id": 1, "summary": {"pnl": "2"}}]));
    }
}
