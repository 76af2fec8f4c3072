CREATE OR REPLACE VIEW locker.past_retention AS
    SELECT d.owner, d.document_id, d.type, locker.kept_from(d.deposited_at, d.valid_until) + type.long AS over_since
      FROM locker.document_type t
      JOIN locker.document d ON d.type = t.type
     CROSS JOIN LATERAL (SELECT make_interval(hours => 24 * least(t.retention_days, 1000000)) AS long) AS type
     WHERE t.retention_days IS NOT NULL
       AND locker.kept_from(d.deposited_at, d.valid_until) < now() - type.long
       AND NOT EXISTS (SELECT 1 FROM locker.legal_hold h
                        WHERE h.owner = d.owner AND h.document_id = d.document_id);
