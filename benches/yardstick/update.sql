\set lead :client_id * :own + random(1, :own)
BEGIN;
SELECT version FROM leads WHERE id = :lead FOR UPDATE \gset
\set next :version + 1
\set score (:next * 7) % 80
UPDATE leads SET
    lead_score = :score::integer,
    version = :next::bigint,
    updated_at = now(),
    by_score = 'LEADS#' || lpad(:score::text, 3, '0') || '#' || :lead::text,
    by_status = 'LEADS#PROSPECT#' || lpad(:score::text, 3, '0') || '#' || :lead::text,
    by_state = 'LEADS#PA#' || lpad(:score::text, 3, '0') || '#' || :lead::text,
    by_both = 'LEADS#PROSPECT#PA#' || lpad(:score::text, 3, '0') || '#' || :lead::text
WHERE id = :lead AND version = :version;
INSERT INTO history (lead, version, body) VALUES (:lead, :next, :history);
INSERT INTO queue (lead, body) VALUES (:lead, :queue)
ON CONFLICT (lead) DO UPDATE SET body = excluded.body;
INSERT INTO outbox (body) VALUES (:outbox), (:outbox), (:outbox);
COMMIT;
