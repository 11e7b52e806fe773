//! Which kinds there are. Each is one step in an index, however many rows it has.

use outlast_core::{Error, Kind, Kinds, Result, Space};

use crate::Sqlite;
use crate::codec::Cells;
use crate::script::Script;

const ENTITIES: &str = "WITH RECURSIVE \
     lineage(space) AS (SELECT min(space) FROM entity UNION ALL \
         SELECT (SELECT min(e.space) FROM entity e WHERE e.space > lineage.space) \
         FROM lineage WHERE space IS NOT NULL), \
     named(space, kind) AS ( \
         SELECT space, (SELECT min(e.kind) FROM entity e WHERE e.space = lineage.space) \
         FROM lineage WHERE space IS NOT NULL UNION ALL \
         SELECT space, (SELECT min(e.kind) FROM entity e \
             WHERE e.space = named.space AND e.kind > named.kind) \
         FROM named WHERE kind IS NOT NULL) \
     SELECT space, kind FROM named WHERE kind IS NOT NULL";

const STREAMS: &str = "WITH RECURSIVE named(kind) AS ( \
         SELECT min(kind) FROM stream UNION ALL \
         SELECT (SELECT min(s.kind) FROM stream s WHERE s.kind > named.kind) \
         FROM named WHERE kind IS NOT NULL) \
     SELECT 0, kind FROM named WHERE kind IS NOT NULL";

impl Sqlite {
    pub(crate) async fn kinds_held(&self) -> Result<Kinds> {
        let mut script = Script::new();
        script.sql("BEGIN").end().sql(ENTITIES).end().sql(STREAMS).end().sql("COMMIT").end();
        let answers = self.connections.read(script).await?;
        let mut kinds = Kinds::default();
        for row in answers.get(1).map(|answer| &answer.rows).into_iter().flatten() {
            kinds.entities.insert(self.kind_of(Cells(row))?);
        }
        for row in answers.get(2).map(|answer| &answer.rows).into_iter().flatten() {
            kinds.streams.insert(self.kind_of(Cells(row))?.1);
        }
        Ok(kinds)
    }

    fn kind_of(&self, cells: Cells<'_>) -> Result<(Space, Kind)> {
        let damaged = || {
            let place = &self.connections.place;
            Error::corrupt(format!("the name of a kind in {place} is damaged; run verify"))
        };
        let space = u32::try_from(cells.count(0)).map_err(|_| damaged())?;
        let kind = Kind::new(cells.any_text(1)).map_err(|_| damaged())?;
        Ok((Space(space), kind))
    }
}
