//! Content is kept as it was written.

use outlast_core::{Attributes, Expect, Json, Put};

use crate::ops::{int, item, put_with};
use crate::{Case, Trial};

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::of(json_is_kept_to_the_letter),
        Case::of(empty_contents_are_kept),
        Case::of(deep_json_is_kept),
        Case::of(schema_number_is_kept),
        Case::of(attributes_are_kept_beside_the_content),
        Case::of(each_version_keeps_its_own_content),
    ]
}

fn state(id: &str, text: &str) -> outlast_core::Op {
    put_with(&item(id), Expect::Any, Attributes::new(), Json::parse(text).unwrap())
}

async fn check(t: &Trial, texts: &[&str]) {
    for (n, text) in texts.iter().enumerate() {
        let id = format!("k{n}");
        t.write(state(&id, text)).await;
        assert_eq!(t.record(&item(&id)).await.state.as_str(), *text);
        let version = t.versions(&item(&id)).await.remove(0);
        assert_eq!(version.state.unwrap().as_str(), *text);
    }
}

async fn json_is_kept_to_the_letter(t: Trial) {
    let texts = [
        r#"{ "b" : 1 ,	"a":2, "a":3 }"#,
        r#""\u00e9 é \ud83d\ude00 😀 \u0000 \/ \n""#,
        "18446744073709551615",
        "-9223372036854775808",
        "1.10e+2",
        "0.1000000000000000055511151231257827",
        "1E4",
        "1.7976931348623157e308",
        r#"{"sql":"'; drop table entity; --","null":null}"#,
        "[ 1, 2 ,3 ]",
    ];
    check(&t, &texts).await;
}

async fn empty_contents_are_kept(t: Trial) {
    check(&t, &["null", "{}", "[]", "\"\"", "0", "false"]).await;
    assert_eq!(t.ids(crate::ops::items(3)).await.len(), 6, "null content is not deleted");
}

async fn deep_json_is_kept(t: Trial) {
    let deep = format!("{}1{}", "[".repeat(100), "]".repeat(100));
    check(&t, &[&deep]).await;
}

async fn schema_number_is_kept(t: Trial) {
    for schema in [0, 1, 7, u32::MAX] {
        let put = Put {
            key: item("a"),
            expect: Expect::Any,
            schema,
            attrs: Attributes::new(),
            state: Json::parse("1").unwrap(),
        };
        t.write(outlast_core::Op::Put(put)).await;
        assert_eq!(t.record(&item("a")).await.schema, schema);
    }
    let schemas: Vec<u32> = t.versions(&item("a")).await.iter().map(|v| v.schema).collect();
    assert_eq!(schemas, [0, 1, 7, u32::MAX]);
}

async fn attributes_are_kept_beside_the_content(t: Trial) {
    let mut attrs = int("n", i64::MIN);
    attrs.extend(crate::ops::text("t", "text with 'quotes'"));
    attrs.extend(crate::ops::text("e", ""));
    t.write(crate::ops::tagged(&item("a"), attrs.clone())).await;
    assert_eq!(t.record(&item("a")).await.attrs, attrs);
    assert_eq!(t.versions(&item("a")).await[0].attrs, attrs);
    let listed = t.list(crate::ops::items(5)).await.remove(0);
    assert_eq!(listed.live().unwrap().unwrap().attrs, attrs);
}

async fn each_version_keeps_its_own_content(t: Trial) {
    for n in 0..5 {
        let json = Json::parse(&format!(r#"{{"n": {n}}}"#)).unwrap();
        t.write(put_with(&item("a"), Expect::Any, int("n", n), json)).await;
    }
    for (version, n) in t.versions(&item("a")).await.into_iter().zip(0..) {
        assert_eq!(version.state.unwrap().as_str(), format!(r#"{{"n": {n}}}"#));
        assert_eq!(version.attrs, int("n", n));
    }
}
