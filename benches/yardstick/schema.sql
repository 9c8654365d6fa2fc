-- Leads with the four indexes that a change of the score concerns: all leads by score, and those of a status, of a
-- state, and of both. A row has about 700 bytes, as a lead in Holdfast.
CREATE TABLE leads (
    id bigint PRIMARY KEY,
    name text NOT NULL,
    email text NOT NULL,
    state text NOT NULL,
    status text NOT NULL,
    lead_score integer NOT NULL,
    version bigint NOT NULL,
    updated_at timestamptz NOT NULL,
    by_score text NOT NULL,
    by_status text NOT NULL,
    by_state text NOT NULL,
    by_both text NOT NULL,
    details text NOT NULL
);
CREATE TABLE history (
    lead bigint,
    version bigint,
    body text NOT NULL,
    PRIMARY KEY (lead, version)
);
CREATE TABLE queue (
    lead bigint PRIMARY KEY,
    body text NOT NULL
);
CREATE TABLE outbox (
    id bigserial PRIMARY KEY,
    body text NOT NULL
);

INSERT INTO leads
SELECT n, 'Lead ' || n, 'lead' || n || '@example.com', 'PA', 'PROSPECT', 0, 1, now(),
       'LEADS#000#' || n, 'LEADS#PROSPECT#000#' || n, 'LEADS#PA#000#' || n, 'LEADS#PROSPECT#PA#000#' || n,
       repeat('d', 400)
FROM generate_series(1, :leads) AS n;
INSERT INTO queue SELECT n, repeat('q', 700) FROM generate_series(1, :leads) AS n;

CREATE INDEX leads_by_score ON leads (by_score);
CREATE INDEX leads_by_status ON leads (by_status);
CREATE INDEX leads_by_state ON leads (by_state);
CREATE INDEX leads_by_both ON leads (by_both);

VACUUM ANALYZE;
CHECKPOINT;
