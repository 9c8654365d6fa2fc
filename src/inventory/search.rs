//! The search words of products: their skus and names. [The search](crate::shared::search) works as for leads.

use serde::{Deserialize, Serialize};

use super::domain::{Product, Sku};
use crate::base::values::name_parts;
use crate::shared::search::{IndexWord, WordIndex, fold, index_words};
use crate::store::{GuardedWrite, StoreError};

/// The most search words of a product. A new product writes them together with its messages, and a new name can
/// replace all of them, within the 100 actions of one transaction.
pub(super) const MAX_WORDS: usize = 24;

/// The search index of products.
pub(super) const WORDS: WordIndex = WordIndex { prefix: "FIND#", partition_chars: 1, list: "product search" };

/// Returns the search words of a product: its sku, the words of its name, and the parts of its sku, at most
/// [`MAX_WORDS`].
fn words_of(product: &Product) -> Vec<IndexWord> {
    let sku = product.sku.as_str();
    let mut words: Vec<String> = Vec::with_capacity(MAX_WORDS);
    for word in [sku].into_iter().chain(name_parts(product.name.as_str())).chain(name_parts(sku)) {
        let word = fold(word);
        if words.len() < MAX_WORDS && !words.contains(&word) {
            words.push(word);
        }
    }
    index_words(words.iter().map(String::as_str))
}

#[derive(Serialize, Deserialize)]
pub(super) struct SearchItem {
    pub(super) sku: Sku,
}

/// Adds the index changes between two states of a product. A movement changes nothing in the index.
pub(super) fn reindex(
    mut write: GuardedWrite,
    before: Option<&Product>,
    after: &Product,
) -> Result<GuardedWrite, StoreError> {
    if before.is_some_and(|before| before.name == after.name) {
        return Ok(write);
    }
    let (old, new) = (before.map(words_of).unwrap_or_default(), words_of(after));
    for gone in old.iter().filter(|old| new.iter().all(|new| new.word != old.word)) {
        write = write.delete_derived("word", &WORDS.key(&gone.word, &after.sku));
    }
    for item in WORDS.items(&new, &after.sku, &SearchItem { sku: after.sku.clone() })? {
        write = write.put_derived("word", item);
    }
    Ok(write)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::shared::search::SearchQuery;
    use crate::shared::search::hits;

    fn product(sku: &str, name: &str) -> Product {
        let at = "2026-11-22T00:00:00Z";
        serde_json::from_value(serde_json::json!({
            "sku": sku, "name": name, "stock": 1, "version": 1, "detailsVersion": 1, "createdAt": at, "updatedAt": at,
        }))
        .unwrap()
    }

    #[test]
    fn a_product_is_found_by_the_words_of_its_sku_and_name() {
        let lantern = words_of(&product("85123A-W", "WHITE METAL LANTERN T-LIGHT"));
        let finds = |typed: &str| hits(&lantern, &[], &SearchQuery::parse(typed).unwrap().unwrap());
        for typed in ["85123a", "85123A-W", "w", "lant", "white lantern", "light", "T-L", "8 met"] {
            assert_eq!(finds(typed), 1, "{typed}");
        }
        for typed in ["5123", "antern", "white x", "#"] {
            assert_eq!(finds(typed), 0, "{typed}");
        }
    }

    proptest! {
        #[test]
        fn a_product_has_a_bounded_number_of_words_including_its_sku(
            sku in "[A-Z0-9][A-Z0-9._-]{0,39}", name in "[a-zé ,-]{1,110}x",
        ) {
            let words = words_of(&product(&sku, &name));
            prop_assert!(words.len() <= MAX_WORDS);
            prop_assert!(words.iter().any(|indexed| indexed.word == fold(&sku)));
        }
    }
}
