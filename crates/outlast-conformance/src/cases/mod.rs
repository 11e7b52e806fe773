//! The list of cases, one file per theme.

mod atomicity;
mod audit;
mod cancel;
mod capability;
mod closing;
mod concurrency;
mod content;
mod count;
mod damage;
mod durability;
mod expect;
mod feed;
mod filter;
mod forget;
mod group;
mod history;
mod index;
mod limits;
mod merge_entries;
mod merge_record;
mod names;
mod order;
mod paging;
mod prune;
mod reopen;
mod replay;
mod rollback;
mod stream;
mod stream_query;
mod tombstone;
mod touch;
mod versions;

use crate::Case;

/// Every case, theme by theme. Their names are unique.
pub fn cases() -> Vec<Case> {
    [
        atomicity::cases(),
        audit::cases(),
        cancel::cases(),
        capability::cases(),
        closing::cases(),
        concurrency::cases(),
        content::cases(),
        count::cases(),
        damage::cases(),
        durability::cases(),
        expect::cases(),
        feed::cases(),
        filter::cases(),
        forget::cases(),
        group::cases(),
        history::cases(),
        index::cases(),
        limits::cases(),
        merge_entries::cases(),
        merge_record::cases(),
        names::cases(),
        order::cases(),
        paging::cases(),
        prune::cases(),
        replay::cases(),
        reopen::cases(),
        rollback::cases(),
        stream::cases(),
        stream_query::cases(),
        tombstone::cases(),
        touch::cases(),
        versions::cases(),
    ]
    .concat()
}
