//! Input that is not a whole, unedited export: refused, by line, before anything is written.

use outlast_core::ErrorKind;
use outlast_orchestrator::transfer::import;

use crate::content::{append, commit, delete, key, log, put, revision, touch};
use crate::{exported, imported, store};

async fn sample() -> String {
    let from = store();
    for state in ["1", "{\"a\":2}"] {
        commit(&from, put(key("a"), state)).await;
    }
    commit(&from, put(key("b"), "\"b\"")).await;
    commit(&from, delete(key("b"))).await;
    commit(&from, touch(key("a"), "beat", 7)).await;
    commit(&from, append(log("x"), &["one", "two"])).await;
    commit(&from, append(log("y"), &["three"])).await;
    exported(&from).await
}

/// Imports into a store that holds something, and checks that it is refused and left alone.
async fn refused(what: &str, lines: &str, kind: ErrorKind) -> String {
    let to = store();
    commit(&to, put(key("mine"), "1")).await;
    let Err(error) = imported(&to, lines).await else { panic!("{what} was imported:\n{lines}") };
    assert_eq!(error.kind(), kind, "{what}: {error}");
    assert_eq!(revision(&to).await, 1, "{what} wrote something");
    error.to_string()
}

async fn refused_at(what: &str, line: usize, lines: &[&str]) {
    let message = refused(what, &(lines.join("\n") + "\n"), ErrorKind::Invalid).await;
    assert!(message.starts_with(&format!("line {line} of the input: ")), "{what}: {message}");
}

#[tokio::test]
async fn input_that_was_cut_off_anywhere_is_refused() {
    let whole = sample().await;
    for end in (0..whole.len()).filter(|end| whole.is_char_boundary(*end)) {
        let lines = whole[..end].lines().count().max(1);
        let message = refused("a part", &whole[..end], ErrorKind::Invalid).await;
        let line = message.split(' ').nth(1).unwrap().parse::<usize>().unwrap();
        assert!(line == lines || line == lines + 1, "cut in line {lines}: {message}");
    }
}

#[tokio::test]
async fn an_edit_of_any_byte_is_refused_in_its_line() {
    let whole = sample().await;
    let mut bytes = whole.clone().into_bytes();
    for at in 0..bytes.len() {
        let before = bytes[at];
        if before == b'\n' {
            continue;
        }
        bytes[at] = if before == b'1' { b'2' } else { b'1' };
        let line = 1 + whole[..at].matches('\n').count();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let to = store();
        let error = imported(&to, &text).await.expect_err(&text);
        let what = format!("byte {at}, {:?}: {error}", char::from(before));
        let expected = matches!(error.kind(), ErrorKind::Invalid | ErrorKind::Incompatible);
        assert!(expected, "{what}: {error:?}");
        let number = error.to_string().split(' ').nth(1).unwrap().parse::<usize>().unwrap();
        assert_eq!(number, line, "{what}");
        assert_eq!(revision(&to).await, 0, "{what}");
        bytes[at] = before;
    }
}

#[tokio::test]
async fn a_line_that_is_missing_doubled_or_moved_is_refused() {
    let whole = sample().await;
    let lines: Vec<&str> = whole.lines().collect();
    for at in 0..lines.len() {
        let mut doubled = lines.clone();
        doubled.insert(at, lines[at]);
        refused_at("a line twice", at + 2, &doubled).await;
        let mut missing = lines.clone();
        missing.remove(at);
        refused("a line missing", &(missing.join("\n") + "\n"), ErrorKind::Invalid).await;
        if at + 1 < lines.len() {
            let mut swapped = lines.clone();
            swapped.swap(at, at + 1);
            refused("two lines swapped", &(swapped.join("\n") + "\n"), ErrorKind::Invalid).await;
        }
    }
}

#[tokio::test]
async fn the_parts_of_two_exports_make_no_third() {
    let from = store();
    commit(&from, put(key("a"), "1")).await;
    let one = exported(&from).await;
    commit(&from, put(key("a"), "2")).await;
    let two = exported(&from).await;
    let [one, two] = [&one, &two].map(|lines| lines.lines().collect::<Vec<_>>());
    refused_at("the end of the other", 4, &[one[0], two[1], two[2], one[2]]).await;
    refused_at("a line of the other", 3, &[one[0], two[2], one[2]]).await;
}

#[tokio::test]
async fn what_is_no_export_is_refused() {
    for lines in ["\n", "{}\n", "not json\n", "[1]\n", "\u{0}\u{0}\n", "{\"header\":{}}\n"] {
        let message = refused("garbage", lines, ErrorKind::Invalid).await;
        assert!(message.starts_with("line 1 of the input: "), "{message}");
    }
    let message = refused("nothing", "", ErrorKind::Invalid).await;
    assert!(message.contains("empty"), "{message}");
    let other = sample().await.replacen("outlast-export", "other-format", 1);
    let message = refused("another format", &other, ErrorKind::Invalid).await;
    assert!(message.contains("other-format"), "{message}");
}

#[tokio::test]
async fn another_version_of_the_format_is_for_another_program() {
    let newer = sample().await.replacen("\"version\":1", "\"version\":2,\"more\":true", 1);
    let message = refused("a newer format", &newer, ErrorKind::Incompatible).await;
    assert!(message.contains("version 2"), "{message}");
}

#[tokio::test]
async fn line_breaks_of_another_system_are_noticed() {
    let message = refused("crlf", &sample().await.replace('\n', "\r\n"), ErrorKind::Invalid).await;
    assert!(message.contains("checksum"), "{message}");
}

#[tokio::test]
async fn a_line_without_end_does_not_fill_the_memory() {
    struct Endless;
    impl tokio::io::AsyncRead for Endless {
        fn poll_read(
            self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
            buffer: &mut tokio::io::ReadBuf<'_>,
        ) -> std::task::Poll<std::io::Result<()>> {
            let room = buffer.remaining();
            buffer.put_slice(&vec![b'x'; room]);
            std::task::Poll::Ready(Ok(()))
        }
    }
    impl tokio::io::AsyncSeek for Endless {
        fn start_seek(self: std::pin::Pin<&mut Self>, _: std::io::SeekFrom) -> std::io::Result<()> {
            Ok(())
        }

        fn poll_complete(
            self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<std::io::Result<u64>> {
            std::task::Poll::Ready(Ok(0))
        }
    }
    let input = tokio::io::BufReader::new(Endless);
    let error = import(&store(), input, &mut |_| {}).await.unwrap_err();
    assert!(error.to_string().contains("longer than"), "{error}");
}
