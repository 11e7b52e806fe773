//! Several statements with their values, run in one call.
//!
//! Every statement through the driver costs two thread wake-ups, so a group of commits is one
//! script. Values are bound with bare `?` only, and counted: the driver binds NULL to whatever is
//! missing without a word.

use crate::codec::Cells;
use futures_util::TryStreamExt;
use outlast_core::{Error, Result};
use sqlx::sqlite::{SqliteArguments, SqliteConnection, SqliteRow};
use sqlx::{Arguments, AssertSqlSafe, Either, Encode, Executor, Sqlite, Type};

/// The most values one statement may bind.
pub(crate) const MOST_VALUES: usize = 32_766;

/// How many rows a list of values is padded to, so that few distinct statements arise and the
/// driver's cache of prepared ones hits.
const ROW_STEPS: [usize; 20] =
    [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024];

/// The most rows of one list of values.
pub(crate) const MOST_ROWS: usize = 1024;

/// The most content an answer holds in memory. One row more may lie beyond it.
const MOST_BYTES: usize = 64 << 20;

/// Statements and their values, in order.
#[derive(Default)]
pub(crate) struct Script {
    sql: String,
    args: SqliteArguments,
    failed: Option<Error>,
    statements: u32,
    commits: bool,
    heavy: Option<usize>,
}

/// What one statement answered.
#[derive(Default)]
pub(crate) struct Answer {
    pub(crate) rows: Vec<SqliteRow>,
    pub(crate) affected: u64,
    /// Whether rows were left out because the answer grew too large.
    pub(crate) cut: bool,
}

impl Answer {
    /// The rows of a page that was asked for with one row more than its limit, and its last row if
    /// another page follows.
    pub(crate) fn page(&self, limit: u32) -> (&[SqliteRow], Option<Cells<'_>>) {
        let most = usize::try_from(limit).unwrap_or(usize::MAX).min(self.rows.len());
        let rows = self.rows.get(..most).unwrap_or_default();
        let more = self.cut || self.rows.len() > most;
        (rows, rows.last().filter(|_| more).map(Cells))
    }
}

/// How far a script got before it failed.
pub(crate) struct Stopped {
    /// Statements that were completed.
    pub(crate) completed: u32,
    pub(crate) cause: sqlx::Error,
}

impl Script {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// A script that begins with this text.
    pub(crate) fn of(text: &str) -> Self {
        let mut script = Self::new();
        script.sql(text);
        script
    }

    /// Adds SQL text.
    pub(crate) fn sql(&mut self, text: &str) -> &mut Self {
        self.sql.push_str(text);
        self
    }

    /// Ends a statement.
    pub(crate) fn end(&mut self) -> &mut Self {
        self.commits = self.sql.ends_with("COMMIT");
        self.sql.push_str(";\n");
        self.statements += 1;
        self
    }

    /// The commit that ends it, as the number of statements before; `None` without one.
    pub(crate) fn commit_at(&self) -> Option<u32> {
        self.commits.then(|| self.statements.saturating_sub(1))
    }

    /// How many statements were ended.
    pub(crate) fn statements(&self) -> u32 {
        self.statements
    }

    /// Binds the next value.
    pub(crate) fn bind<'t, T: Encode<'t, Sqlite> + Type<Sqlite>>(&mut self, value: T) -> &mut Self {
        if let Err(cause) = self.args.add(value) {
            let error = Error::internal("a value could not be bound").with_source(cause);
            self.failed.get_or_insert(error);
        }
        self
    }

    /// Names the column that makes rows heavy: an answer ends early once it weighs
    /// [`MOST_BYTES`], and says so.
    pub(crate) fn heavy(&mut self, column: usize) -> &mut Self {
        self.heavy = Some(column);
        self
    }

    /// Adds a placeholder and binds its value.
    pub(crate) fn value<'t, T: Encode<'t, Sqlite> + Type<Sqlite>>(
        &mut self,
        value: T,
    ) -> &mut Self {
        self.sql.push('?');
        self.bind(value)
    }

    /// Adds `(VALUES ...)` of `width` columns; `row` binds each. Rows that fill it up are NULL.
    pub(crate) fn values<T>(
        &mut self,
        width: usize,
        rows: &[T],
        mut row: impl FnMut(&mut Self, i64, &T),
    ) -> &mut Self {
        let padded = ROW_STEPS.into_iter().find(|step| *step >= rows.len()).unwrap_or(rows.len());
        self.sql.push_str("(VALUES ");
        for place in 0..padded {
            self.sql.push_str(if place == 0 { "(?" } else { ",(?" });
            (1..width).for_each(|_| self.sql.push_str(",?"));
            self.sql.push(')');
        }
        self.sql.push(')');
        for (place, item) in (0..).zip(rows) {
            row(self, place, item);
        }
        for _ in rows.len() * width..padded * width {
            self.bind(None::<i64>);
        }
        self
    }

    /// Runs it all; one answer per statement.
    pub(crate) async fn run(
        self,
        connection: &mut SqliteConnection,
    ) -> Result<Result<Vec<Answer>, Stopped>> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        let placeholders = self.sql.bytes().filter(|byte| *byte == b'?').count();
        if placeholders != self.args.len() {
            let bound = self.args.len();
            return Err(Error::internal(format!(
                "a script binds {bound} values to {placeholders} placeholders"
            )));
        }
        #[cfg(test)]
        crate::tests::plans::ran(&self.sql);
        let query = sqlx::query_with(AssertSqlSafe(self.sql), self.args);
        let mut stream = connection.fetch_many(query);
        let mut answers = Vec::new();
        let mut rows = Vec::new();
        let mut weight = 0;
        loop {
            match stream.try_next().await {
                Ok(Some(Either::Right(row))) => {
                    let heavy = self.heavy.and_then(|column| Cells(&row).bytes(column));
                    weight += heavy.map_or(0, <[u8]>::len);
                    rows.push(row);
                    if weight > MOST_BYTES {
                        answers.push(Answer { rows, affected: 0, cut: true });
                        return Ok(Ok(answers));
                    }
                }
                Ok(Some(Either::Left(done))) => {
                    let rows = std::mem::take(&mut rows);
                    answers.push(Answer { rows, affected: done.rows_affected(), cut: false });
                }
                Ok(None) => return Ok(Ok(answers)),
                Err(cause) => {
                    let completed = u32::try_from(answers.len()).unwrap_or(u32::MAX);
                    return Ok(Err(Stopped { completed, cause }));
                }
            }
        }
    }
}
